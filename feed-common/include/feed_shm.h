/* Reads the shared memory of feed-handler: records as they are published, the latest quotes, the instruments.
 *
 * Header only, C11. What lies where, and the protocols with the reasons why nothing is ever read torn, are in
 * feed-common/src/ring/shared/mod.rs, ring/broadcast.rs and ring/latest.rs; example_tail.c beside this file uses it all.
 *
 *     struct feed_shm feed;
 *     struct feed_shm_cursor cursor;
 *     struct feed_shm_record records[64];
 *     uint64_t lost;
 *     int error = feed_shm_open(&feed, "/dev/shm/feed", FEED_SHM_US);
 *     if (error) ...                               // feed_shm_strerror(error)
 *     feed_shm_from_now(&feed, &cursor);
 *     size_t n = feed_shm_read(&feed, &cursor, records, 64, &lost);
 *
 * A reader maps the file read-only, never waits and is noticed by nobody. Everything the header says is checked against the
 * length of the file when it is opened and then remembered: whatever is written into the file later, no access leaves the
 * mapping. Its owner can cut the file, which ends its readers with SIGBUS; so say whose it should be.
 *
 * One struct feed_shm may be used by several threads; a cursor is one thread's. How long records took to come to a consumer,
 * for the report of the run, is counted and left by feed_taken.h.
 */
#ifndef FEED_SHM_H
#define FEED_SHM_H

/* open with O_NOFOLLOW, fstat, mmap, kill. Include this header first where the compiler is told -std=c11, or define a
 * later one. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FEED_SHM_VERSION 1
/* Owners, for feed_shm_open, beside the numbers of users: any; the user of this process or the system's. */
#define FEED_SHM_ANYBODY ((uid_t)-1)
#define FEED_SHM_US ((uid_t)-2)
/* A price that is none. */
#define FEED_SHM_NO_PRICE INT64_MIN
/* The instrument of a record that is about none. */
#define FEED_SHM_NO_INSTRUMENT UINT32_MAX

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a word must be loaded whole");
_Static_assert(sizeof(_Atomic uint64_t) == 8, "a word must be loaded whole");

/* A published record: little-endian in the file, which the checks of its byte order and of this machine's make the same. */
struct feed_shm_record {
    char symbol[8];      /* padded with spaces; longer names are '#' and the instrument number */
    int64_t price;       /* in 1e-9; FEED_SHM_NO_PRICE is none */
    uint32_t quantity;
    uint8_t kind;        /* 1 add .. 10 bid, 11 offer, 12 trade ..: feed-common/src/event.rs */
    uint8_t side;        /* 'B', 'S' or 0 */
    uint16_t flags;
    uint64_t timestamp;  /* exchange time, ns since the Unix epoch */
    uint64_t sequence;
    uint64_t order_id;
    uint64_t rx;         /* when its packet was received, in ticks of the time-stamp counter */
    uint32_t instrument; /* in its channel */
    uint16_t channel;
    uint8_t trust;       /* 0 valid, 1 stale, 2 recovering, 3 suspect */
    uint8_t reserved;
};
_Static_assert(sizeof(struct feed_shm_record) == 64, "a record is a cache line");

/* Best prices of an instrument. */
struct feed_shm_quote {
    int64_t bid; /* in 1e-9; FEED_SHM_NO_PRICE is none */
    uint64_t bid_quantity;
    int64_t ask;
    uint64_t ask_quantity;
    uint64_t timestamp;
    uint64_t sequence;
    uint64_t rx;
    uint8_t trust;
    uint8_t flags; /* 1 unsure, 2 the time has no date */
};

/* Whose quote a row is. */
struct feed_shm_instrument {
    uint32_t instrument;
    uint16_t channel;
    char symbol[9]; /* ended by a zero, as is the name */
    char name[24];
};

struct feed_shm_channel {
    uint16_t number;
    char name[41];
    char protocol[17];
};

/* A file that is open. What is below `map` are copies of what its header said. */
struct feed_shm {
    const unsigned char *map;
    size_t length;
    uint64_t epoch;
    uint64_t pid;
    uint64_t started;
    unsigned char boot[16];
    uint64_t pid_namespace;
    uint64_t slots;
    uint64_t tick_factor; /* nanoseconds per tick, times 2^32 */
    uint32_t instruments;
    uint32_t channels;
    char session[33];
    const _Atomic uint64_t *ring, *quotes, *directory;
};

/* A place in the ring, and what was lost on the way to it. */
struct feed_shm_cursor {
    uint64_t position, head_seen, lost;
};

enum feed_shm_error {
    /* Positive values are those of errno. */
    FEED_SHM_NOT_OURS = -1,
    FEED_SHM_BYTE_ORDER = -2,
    FEED_SHM_OTHER_VERSION = -3,
    FEED_SHM_DAMAGED = -4,
    FEED_SHM_OWNER = -5
};

static inline const char *feed_shm_strerror(int error)
{
    switch (error) {
    case FEED_SHM_NOT_OURS: return "it is not a shared-memory file of feed-handler";
    case FEED_SHM_BYTE_ORDER: return "it was written in the other byte order";
    case FEED_SHM_OTHER_VERSION: return "it has another layout version than 1";
    case FEED_SHM_DAMAGED: return "its header is damaged";
    case FEED_SHM_OWNER: return "it belongs to another user";
    case ELOOP: return "it is a symbolic link";
    default: return strerror(error);
    }
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static inline uint64_t feed_shm_relaxed(const _Atomic uint64_t *word)
{
    /* Some compilers want the const away; nothing is stored. */
    return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)word, memory_order_relaxed);
}

static inline uint64_t feed_shm_acquire(const _Atomic uint64_t *word)
{
    uint64_t value = feed_shm_relaxed(word);
    atomic_thread_fence(memory_order_acquire);
    return value;
}

static inline const _Atomic uint64_t *feed_shm_at(const struct feed_shm *feed, uint64_t offset)
{
    return (const _Atomic uint64_t *)(const void *)(feed->map + offset);
}

static inline uint32_t feed_shm_crc(uint32_t crc, const unsigned char *bytes, size_t n)
{
    crc = ~crc;
    while (n--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static inline void feed_shm_close(struct feed_shm *feed)
{
    if (feed->map)
        munmap((void *)(uintptr_t)feed->map, feed->length);
    memset(feed, 0, sizeof *feed);
}

/* What lies in the header of a mapping of at least 4,096 bytes; 0 or an error. */
static inline int feed_shm_check(struct feed_shm *feed)
{
    enum { HEADER = 512, CHANNELS = 1024, CHANNELS_MAX = 1024, ROW = 64, PAGE = 4096 };
    uint64_t words[HEADER / 8];
    const uint64_t one = 1;
    unsigned char first;

    /* Once; only the copy is looked at. */
    for (size_t i = 0; i < HEADER / 8; i++)
        words[i] = feed_shm_relaxed(feed_shm_at(feed, i * 8));
    memcpy(&first, &one, 1);
    if (memcmp(words, "FEEDSHM", 8) != 0)
        return FEED_SHM_NOT_OURS;
    if (!first || words[2] == UINT64_C(0x0807060504030201))
        return FEED_SHM_BYTE_ORDER;
    if (words[1] != FEED_SHM_VERSION)
        return FEED_SHM_OTHER_VERSION;
    uint64_t slots = words[11], instruments = words[14], channels = words[17];
    if (words[2] != UINT64_C(0x0102030405060708) || words[3] != feed->length || words[10] != ROW || words[13] != ROW
        || slots < 4 || slots > (UINT64_C(1) << 32) || (slots & (slots - 1)) != 0 || instruments > (1u << 24)
        || channels > CHANNELS_MAX || words[18] != CHANNELS)
        return FEED_SHM_DAMAGED;
    /* One part behind the other; none of these can overflow. */
    uint64_t ring = (CHANNELS + channels * 64 + PAGE - 1) / PAGE * PAGE;
    uint64_t quotes = (ring + slots * ROW + PAGE - 1) / PAGE * PAGE;
    uint64_t directory = (quotes + instruments * ROW + PAGE - 1) / PAGE * PAGE;
    uint64_t length = (directory + instruments * ROW + PAGE - 1) / PAGE * PAGE;
    if (words[12] != ring || words[15] != quotes || words[16] != directory || feed->length != length)
        return FEED_SHM_DAMAGED;
    uint32_t crc = feed_shm_crc(0, (const unsigned char *)words, HEADER - 8);
    for (uint64_t i = 0; i < channels * 8; i++) {
        uint64_t word = feed_shm_relaxed(feed_shm_at(feed, CHANNELS + i * 8));
        crc = feed_shm_crc(crc, (const unsigned char *)&word, 8);
    }
    if (words[63] != crc)
        return FEED_SHM_DAMAGED;
    feed->epoch = words[4];
    feed->pid = words[5];
    feed->started = words[6];
    memcpy(feed->boot, words + 7, 16);
    feed->pid_namespace = words[9];
    feed->slots = slots;
    feed->tick_factor = words[19];
    feed->instruments = (uint32_t)instruments;
    feed->channels = (uint32_t)channels;
    memcpy(feed->session, words + 20, 32);
    feed->session[32] = 0;
    feed->ring = feed_shm_at(feed, ring);
    feed->quotes = feed_shm_at(feed, quotes);
    feed->directory = feed_shm_at(feed, directory);
    return 0;
}

/* Opens and maps a file of this owner. 0, a value of errno, or a negative one of enum feed_shm_error; after an error there
 * is nothing to close. */
static inline int feed_shm_open(struct feed_shm *feed, const char *path, uid_t owner)
{
    struct stat facts;
    int error = 0;

    memset(feed, 0, sizeof *feed);
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return errno;
    if (fstat(file, &facts) != 0)
        error = errno;
    else if (!S_ISREG(facts.st_mode) || facts.st_size < 4096)
        error = FEED_SHM_NOT_OURS;
    else if (owner == FEED_SHM_US ? facts.st_uid != 0 && facts.st_uid != geteuid()
                                  : owner != FEED_SHM_ANYBODY && facts.st_uid != owner)
        error = FEED_SHM_OWNER;
    else if ((uint64_t)facts.st_size > SIZE_MAX / 2)
        error = FEED_SHM_DAMAGED;
    if (!error) {
        feed->length = (size_t)facts.st_size;
        void *map = mmap(NULL, feed->length, PROT_READ, MAP_SHARED, file, 0);
        if (map == MAP_FAILED)
            error = errno;
        else {
            feed->map = map;
            error = feed_shm_check(feed);
            if (error)
                feed_shm_close(feed);
        }
    }
    close(file);
    return error;
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

/* Everything that becomes visible from now on. */
static inline void feed_shm_from_now(const struct feed_shm *feed, struct feed_shm_cursor *cursor)
{
    cursor->position = cursor->head_seen = feed_shm_acquire(feed_shm_at(feed, 512));
    cursor->lost = 0;
}

/* From the oldest record that is still held; while the writer is busy the first read may be an overrun. */
static inline void feed_shm_from_oldest(const struct feed_shm *feed, struct feed_shm_cursor *cursor)
{
    uint64_t head = feed_shm_acquire(feed_shm_at(feed, 512));
    uint64_t window = feed_shm_acquire(feed_shm_at(feed, 640));
    uint64_t oldest = window > feed->slots ? window - feed->slots : 0;
    cursor->position = cursor->head_seen = oldest < head ? oldest : head;
    cursor->lost = 0;
}

/* Copies the next records, at most `room`, and returns how many; 0 when there are none yet. `*lost` is how many records
 * were overwritten before they were read: when it is not 0 none is returned, and reading goes on half a ring behind the
 * writer. Every record is either returned once, in order, or counted as lost once. */
static inline size_t feed_shm_read(const struct feed_shm *feed, struct feed_shm_cursor *cursor,
                                   struct feed_shm_record *records, size_t room, uint64_t *lost)
{
    *lost = 0;
    if (cursor->position == cursor->head_seen)
        cursor->head_seen = feed_shm_acquire(feed_shm_at(feed, 512));
    uint64_t there = cursor->head_seen - cursor->position;
    size_t n = there < room ? (size_t)there : room;
    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const _Atomic uint64_t *slot = feed->ring + ((cursor->position + i) & (feed->slots - 1)) * 8;
        uint64_t words[8];
        for (size_t w = 0; w < 8; w++)
            words[w] = feed_shm_relaxed(slot + w);
        memcpy(records + i, words, sizeof words);
    }
    /* Orders the loads of the words before the load of the window. */
    atomic_thread_fence(memory_order_acquire);
    uint64_t window = feed_shm_relaxed(feed_shm_at(feed, 640));
    if (window > cursor->position + feed->slots) {
        /* The window that was seen is at most a reach, a quarter of the ring or less, ahead of the head seen next. */
        atomic_thread_fence(memory_order_acquire);
        cursor->head_seen = feed_shm_acquire(feed_shm_at(feed, 512));
        uint64_t position = cursor->head_seen - feed->slots / 2;
        *lost = position - cursor->position;
        cursor->lost += *lost;
        cursor->position = position;
        return 0;
    }
    cursor->position += n;
    return n;
}

/* Nanoseconds in a span of ticks, such as from a record's `rx` to a reading of the time-stamp counter. */
static inline uint64_t feed_shm_nanos(const struct feed_shm *feed, uint64_t ticks)
{
    uint64_t high = ticks >> 32, low = ticks & UINT32_MAX;
    return high * feed->tick_factor + (uint64_t)((low * (feed->tick_factor & UINT32_MAX)) >> 32)
        + low * (feed->tick_factor >> 32);
}

/* ---- quotes and instruments -------------------------------------------------------------------------------------- */

/* A row of a table: 1 and its words and 16 bits, 0 when it was never written, -1 when its writer was stopped in the middle
 * of it. */
static inline int feed_shm_row(const _Atomic uint64_t *table, uint64_t row, uint64_t words[7], uint16_t *tag)
{
    const _Atomic uint64_t *mark = table + row * 8;
    for (int look = 0; look < 10000; look++) {
        uint64_t before = feed_shm_acquire(mark);
        if (before >> 16 & 1)
            continue;
        for (size_t w = 0; w < 7; w++)
            words[w] = feed_shm_relaxed(mark + 1 + w);
        /* Orders the loads of the words before the second load of the mark. */
        atomic_thread_fence(memory_order_acquire);
        if (feed_shm_relaxed(mark) == before) {
            *tag = (uint16_t)before;
            return before >> 16 != 0;
        }
    }
    return -1;
}

/* Rows of the directory in use. */
static inline uint32_t feed_shm_rows(const struct feed_shm *feed)
{
    uint64_t rows = feed_shm_acquire(feed_shm_at(feed, 896));
    return rows < feed->instruments ? (uint32_t)rows : feed->instruments;
}

/* The latest quote of a row: 1, 0 when there was none yet, -1 when its writer was stopped in the middle of it. */
static inline int feed_shm_quote(const struct feed_shm *feed, uint32_t row, struct feed_shm_quote *quote)
{
    uint64_t words[7];
    uint16_t tag;

    if (row >= feed->instruments)
        return 0;
    int found = feed_shm_row(feed->quotes, row, words, &tag);
    if (found == 1) {
        memcpy(quote, words, sizeof words);
        quote->trust = (uint8_t)tag;
        quote->flags = (uint8_t)(tag >> 8);
    }
    return found;
}

/* Whose quote a row is; as feed_shm_quote. */
static inline int feed_shm_instrument(const struct feed_shm *feed, uint32_t row, struct feed_shm_instrument *it)
{
    uint64_t words[7];
    uint16_t tag;

    if (row >= feed->instruments)
        return 0;
    int found = feed_shm_row(feed->directory, row, words, &tag);
    if (found == 1) {
        memset(it, 0, sizeof *it);
        memcpy(it->symbol, words, 8);
        it->instrument = (uint32_t)words[1];
        it->channel = (uint16_t)(words[1] >> 32);
        memcpy(it->name, words + 2, tag < 23 ? tag : 23);
    }
    return found;
}

/* The row of the first instrument of a name, or -1. Looks at all of them: a row stays that of its instrument, so look it
 * up once. */
static inline int64_t feed_shm_find(const struct feed_shm *feed, const char *name)
{
    struct feed_shm_instrument it;
    uint32_t rows = feed_shm_rows(feed);
    for (uint32_t row = 0; row < rows; row++)
        if (feed_shm_instrument(feed, row, &it) == 1 && strcmp(it.name, name) == 0)
            return row;
    return -1;
}

/* A channel whose records are in the ring, by its place from 0: 1, or 0 when there is none. */
static inline int feed_shm_channel(const struct feed_shm *feed, uint32_t i, struct feed_shm_channel *channel)
{
    uint64_t words[8];

    if (i >= feed->channels)
        return 0;
    for (size_t w = 0; w < 8; w++)
        words[w] = feed_shm_relaxed(feed_shm_at(feed, 1024 + i * 64 + w * 8));
    memset(channel, 0, sizeof *channel);
    channel->number = (uint16_t)words[0];
    memcpy(channel->name, words + 1, 40);
    memcpy(channel->protocol, words + 6, 16);
    return 1;
}

/* ---- how it stands with the writer ------------------------------------------------------------------------------- */

enum feed_shm_standing {
    FEED_SHM_LIVE,       /* it writes */
    FEED_SHM_CLOSED,     /* it has ended as it should: what is there to be read is all */
    FEED_SHM_DEAD,       /* it has ended otherwise */
    FEED_SHM_SUPERSEDED, /* another file has the name: open it again */
    FEED_SHM_UNSEEN      /* its process cannot be seen from here */
};

/* Looks into /proc unless the writer has said it itself: not for every record. */
static inline enum feed_shm_standing feed_shm_standing(const struct feed_shm *feed)
{
    char path[64], text[1024];
    unsigned char boot[16];
    struct stat facts;
    FILE *file;
    size_t n, digits = 0;

    switch (feed_shm_acquire(feed_shm_at(feed, 768))) {
    case 0: break;
    case 2: return FEED_SHM_SUPERSEDED;
    default: return FEED_SHM_CLOSED;
    }
    file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!file)
        return FEED_SHM_UNSEEN;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    memset(boot, 0, sizeof boot);
    for (size_t i = 0; i < n && digits < 32; i++) {
        const char *hex = "0123456789abcdef", *at = text[i] ? strchr(hex, text[i]) : NULL;
        if (at) {
            boot[digits / 2] = (unsigned char)(boot[digits / 2] << 4 | (at - hex));
            digits++;
        }
    }
    if (memcmp(boot, feed->boot, sizeof boot) != 0)
        return FEED_SHM_DEAD;
    if (stat("/proc/self/ns/pid", &facts) != 0 || (uint64_t)facts.st_ino != feed->pid_namespace)
        return FEED_SHM_UNSEEN;
    if (feed->pid == 0 || feed->pid > INT32_MAX || (kill((pid_t)feed->pid, 0) != 0 && errno == ESRCH))
        return FEED_SHM_DEAD;
    snprintf(path, sizeof path, "/proc/%lu/stat", (unsigned long)feed->pid);
    file = fopen(path, "r");
    if (!file)
        return FEED_SHM_LIVE;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    /* The state is field 3, behind the name in brackets, which may hold brackets; the start is field 22. */
    char *rest = strrchr(text, ')');
    if (!rest || strlen(rest) < 3)
        return FEED_SHM_LIVE;
    if (rest[2] == 'Z' || rest[2] == 'X')
        return FEED_SHM_DEAD;
    for (int field = 2; rest && field < 22; field++)
        rest = strchr(rest + 1, ' ');
    return rest && strtoull(rest, NULL, 10) != feed->started ? FEED_SHM_DEAD : FEED_SHM_LIVE;
}

/* True when nothing more can come and this cursor has passed all there was. */
static inline int feed_shm_is_closed(const struct feed_shm *feed, const struct feed_shm_cursor *cursor)
{
    /* In this order: only a head loaded after the state was seen is the last one. */
    return feed_shm_acquire(feed_shm_at(feed, 768)) != 0
        && feed_shm_acquire(feed_shm_at(feed, 512)) == cursor->position;
}

#endif
