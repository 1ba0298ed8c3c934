/* How long records took to reach a consumer that reads the shared memory of feed-handler, for the report of the run.
 *
 * Header only, C11, beside feed_shm.h. A consumer counts while it reads and leaves a file beside the shared memory when it
 * ends; the run collects the files of its consumers at its own end, which it delays by a tenth of a second for that, and
 * shows a row for each process. What the file is, is in feed-common/src/ring/shared/taken.rs.
 *
 *     static struct feed_taken taken;              // 100 KB: nothing for the stack of a small thread
 *     int error = feed_taken_begin(&taken, &feed, "/dev/shm/feed");
 *     ...
 *     size_t n = feed_shm_read(&feed, &cursor, records, 64, &lost);
 *     feed_taken_record(&taken, records, n);       // as soon as they are there
 *     ...
 *     error = feed_taken_leave(&taken);            // when feed_shm_is_closed says so, or before feed_shm_close
 *
 * Only records that were published while the consumer was there say how fast it is: leave out what feed_shm_from_oldest
 * finds of earlier. Counting reads the clock once, takes no memory and makes no system call where the clock is the
 * processor's counter.
 *
 * A struct feed_taken is one thread's, and its feed must stay open until the last record is counted.
 */
#ifndef FEED_TAKEN_H
#define FEED_TAKEN_H

#include "feed_shm.h"

#include <inttypes.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Nanoseconds up to which values are told apart; a longer one counts as this. */
#define FEED_TAKEN_HIGHEST UINT64_C(10000000000)
/* Values below 2 to the power of this have a cell each, and every doubling beyond has half as many cells as these: three
 * decimal digits. */
#define FEED_TAKEN_BITS 11
#define FEED_TAKEN_CELLS 24745
_Static_assert(((34 - FEED_TAKEN_BITS) << (FEED_TAKEN_BITS - 1)) + (FEED_TAKEN_HIGHEST >> (34 - FEED_TAKEN_BITS)) + 1
                   == FEED_TAKEN_CELLS,
               "the highest value has 34 bits and the last cell");

/* What one consumer has counted. */
struct feed_taken {
    uint32_t counts[FEED_TAKEN_CELLS];
    const struct feed_shm *feed;
    uint64_t begun; /* ns since the Unix epoch */
    pid_t process;
    int counter; /* the clock is the processor's counter */
    char path[4096];
};

/* ---- the clock --------------------------------------------------------------------------------------------------- */

/* Whether receive times are readings of the processor's counter, which is so where that runs at one rate; elsewhere they
 * are nanoseconds of CLOCK_MONOTONIC. */
static inline int feed_taken_has_counter(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, features, power;
    /* RDTSCP; invariant counter. */
    return __get_cpuid(0x80000001, &a, &b, &c, &features) && features >> 27 & 1
        && __get_cpuid(0x80000007, &a, &b, &c, &power) && power >> 8 & 1;
#elif defined(__aarch64__)
    return 1;
#else
    return 0;
#endif
}

static inline uint64_t feed_taken_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Now, in ticks such as a record's `rx`. */
static inline uint64_t feed_taken_now(const struct feed_taken *taken)
{
#if defined(__x86_64__)
    if (taken->counter)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    if (taken->counter) {
        uint64_t ticks;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
    }
#endif
    (void)taken;
    return feed_taken_clock(CLOCK_MONOTONIC);
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

/* Nothing yet, of what is read of this feed, which was opened at `path`. 0, or ENAMETOOLONG: it counts, but cannot leave. */
static inline int feed_taken_begin(struct feed_taken *taken, const struct feed_shm *feed, const char *path)
{
    memset(taken, 0, sizeof *taken);
    taken->feed = feed;
    taken->begun = feed_taken_clock(CLOCK_REALTIME);
    taken->process = getpid();
    taken->counter = feed_taken_has_counter();
    int length = snprintf(taken->path, sizeof taken->path, "%s.taken.%" PRIu64 ".%ld", path, feed->epoch,
                          (long)taken->process);
    if (length >= 0 && (size_t)length < sizeof taken->path)
        return 0;
    taken->path[0] = 0;
    return ENAMETOOLONG;
}

/* The cell of a number of nanoseconds, as HdrHistogram numbers them. */
static inline size_t feed_taken_cell(uint64_t nanos)
{
    if (nanos > FEED_TAKEN_HIGHEST)
        nanos = FEED_TAKEN_HIGHEST;
    unsigned doublings = 64 - FEED_TAKEN_BITS - (unsigned)__builtin_clzll(nanos | ((1u << FEED_TAKEN_BITS) - 1));
    return ((size_t)doublings << (FEED_TAKEN_BITS - 1)) + (size_t)(nanos >> doublings);
}

/* The highest number of nanoseconds that falls into a cell. */
static inline uint64_t feed_taken_highest(size_t cell)
{
    size_t half = cell >> (FEED_TAKEN_BITS - 1);
    size_t doublings = half > 1 ? half - 1 : 0;
    return ((uint64_t)(cell - (doublings << (FEED_TAKEN_BITS - 1)) + 1) << doublings) - 1;
}

/* The consumer had these records in its hands at `now`. A record that was made without a packet says nothing. One that was
 * received later than now, by the counter of another core, took no time. */
static inline void feed_taken_record_at(struct feed_taken *taken, uint64_t now, const struct feed_shm_record *records,
                                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t rx = records[i].rx;
        if (rx == 0)
            continue;
        uint32_t *count = taken->counts + feed_taken_cell(feed_shm_nanos(taken->feed, now > rx ? now - rx : 0));
        *count += *count != UINT32_MAX;
    }
}

/* The consumer has these records in its hands now. */
static inline void feed_taken_record(struct feed_taken *taken, const struct feed_shm_record *records, size_t n)
{
    if (n > 0)
        feed_taken_record_at(taken, feed_taken_now(taken), records, n);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* Bytes of the largest histogram: a header, and 33 bits of each cell in bytes of seven. */
#define FEED_TAKEN_BYTES (40 + 5 * FEED_TAKEN_CELLS)

/* Bytes on their way into a file as base64. */
struct feed_taken_text {
    FILE *file;
    uint32_t bits;
    int bytes; /* in `bits` */
};

/* Up to three bytes as four digits. */
static inline void feed_taken_digits(struct feed_taken_text *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text->bits <<= 8 * (3 - text->bytes);
    for (int i = 0; i < 4; i++)
        putc(i <= text->bytes ? digits[text->bits >> (18 - 6 * i) & 63] : '=', text->file);
    text->bits = 0;
    text->bytes = 0;
}

static inline void feed_taken_put(struct feed_taken_text *text, const unsigned char *bytes, size_t n)
{
    while (n-- > 0) {
        text->bits = text->bits << 8 | *bytes++;
        if (++text->bytes == 3)
            feed_taken_digits(text);
    }
}

static inline unsigned char *feed_taken_big_endian(unsigned char *at, uint64_t value, int bytes)
{
    while (bytes-- > 0)
        *at++ = (unsigned char)(value >> 8 * bytes);
    return at;
}

/* The first so many cells, the last of them with a count, in HdrHistogram's encoding V2; how many bytes. */
static inline size_t feed_taken_encode(const struct feed_taken *taken, size_t cells, unsigned char *bytes)
{
    unsigned char *at = bytes + 40;
    for (size_t cell = 0; cell < cells;) {
        size_t empty = 0;
        while (taken->counts[cell + empty] == 0)
            empty++;
        /* Zigzag: a count, which may be 0, or minus how many cells are empty. */
        uint64_t value = empty > 1 ? 2 * (uint64_t)empty - 1 : 2 * (uint64_t)taken->counts[cell];
        cell += empty > 1 ? empty : 1;
        for (; value > 0x7F; value >>= 7)
            *at++ = (unsigned char)(value | 0x80);
        *at++ = (unsigned char)value;
    }
    unsigned char *head = feed_taken_big_endian(bytes, 0x1C849313, 4);
    head = feed_taken_big_endian(head, (uint64_t)(at - bytes) - 40, 4);
    head = feed_taken_big_endian(head, 0, 4);
    head = feed_taken_big_endian(head, 3, 4); /* digits */
    head = feed_taken_big_endian(head, 1, 8); /* lowest */
    head = feed_taken_big_endian(head, FEED_TAKEN_HIGHEST, 8);
    feed_taken_big_endian(head, UINT64_C(0x3FF0000000000000), 8); /* 1.0 */
    return (size_t)(at - bytes);
}

/* Writes the encoded histogram as a zlib stream of blocks that are stored as they are, its length before it, as base64. */
static inline void feed_taken_pack(FILE *file, const unsigned char *bytes, size_t n)
{
    struct feed_taken_text text = {file, 0, 0};
    unsigned char word[10];
    size_t blocks = (n + UINT16_MAX - 1) / UINT16_MAX;
    uint32_t a = 1, b = 0; /* Adler-32 */

    feed_taken_big_endian(word, 0x1C849314, 4);
    feed_taken_big_endian(word + 4, 2 + 5 * blocks + n + 4, 4);
    feed_taken_big_endian(word + 8, 0x7801, 2);
    feed_taken_put(&text, word, 10);
    for (size_t i = 0; i < n; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    while (n > 0) {
        size_t length = n < UINT16_MAX ? n : UINT16_MAX;
        word[0] = n == length; /* the last block? */
        word[1] = (unsigned char)length;
        word[2] = (unsigned char)(length >> 8);
        word[3] = (unsigned char)~word[1];
        word[4] = (unsigned char)~word[2];
        feed_taken_put(&text, word, 5);
        feed_taken_put(&text, bytes, length);
        bytes += length;
        n -= length;
    }
    feed_taken_big_endian(word, (uint64_t)b << 16 | a, 4);
    feed_taken_put(&text, word, 4);
    if (text.bytes)
        feed_taken_digits(&text);
}

/* Nanoseconds as seconds, or as milliseconds where they are times 1000, to three places and in any locale. */
static inline void feed_taken_seconds(FILE *file, uint64_t nanos, char behind)
{
    uint64_t millis = nanos / 1000000 + (nanos % 1000000 >= 500000);
    fprintf(file, "%" PRIu64 ".%03d%c", millis / 1000, (int)(millis % 1000), behind);
}

/* Writes an interval log with a line of what was counted; without one when that is nothing. */
static inline void feed_taken_write(const struct feed_taken *taken, FILE *file, unsigned char *bytes)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t now = feed_taken_clock(CLOCK_REALTIME);
    time_t begun = (time_t)(taken->begun / 1000000000);
    struct tm date = {0};
    size_t cells = FEED_TAKEN_CELLS;

    gmtime_r(&begun, &date);
    fprintf(file, "#[Logged with feed-handler]\n#[Histogram log format version 1.3]\n# taken by process %ld\n#[BaseTime: ",
            (long)taken->process);
    feed_taken_seconds(file, taken->begun, ' ');
    fprintf(file, "(seconds since epoch)]\n#[StartTime: ");
    feed_taken_seconds(file, taken->begun, ' ');
    fprintf(file, "(seconds since epoch), %.3s %.3s %02d %02d:%02d:%02d UTC %04d]\n", days + 3 * date.tm_wday,
            months + 3 * date.tm_mon, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec, date.tm_year + 1900);
    fprintf(file, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n");
    while (cells > 0 && taken->counts[cells - 1] == 0)
        cells--;
    if (cells == 0)
        return;
    fprintf(file, "Tag=process:%ld/taken,0.000,", (long)taken->process);
    /* The wall clock may step back. */
    feed_taken_seconds(file, now > taken->begun ? now - taken->begun : 0, ',');
    feed_taken_seconds(file, feed_taken_highest(cells - 1) * 1000, ',');
    feed_taken_pack(file, bytes, feed_taken_encode(taken, cells, bytes));
    putc('\n', file);
}

/* Leaves what was counted so far beside the file of the feed, in place of what was left before. 0 or a value of errno, such
 * as EACCES: who may read a feed need not be allowed to leave anything beside it. After an error nothing new is there. */
static inline int feed_taken_leave(const struct feed_taken *taken)
{
    char made[sizeof taken->path + 4];
    int error = 0;

    if (taken->path[0] == 0)
        return ENAMETOOLONG;
    snprintf(made, sizeof made, "%s.new", taken->path);
    unsigned char *bytes = malloc(FEED_TAKEN_BYTES);
    if (!bytes)
        return ENOMEM;
    /* Left by a process of the same number that ended in the middle of this. */
    unlink(made);
    int descriptor = open(made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        error = errno;
        free(bytes);
        return error;
    }
    FILE *file = fdopen(descriptor, "w");
    if (!file) {
        error = errno;
        close(descriptor);
    } else {
        errno = 0;
        feed_taken_write(taken, file, bytes);
        if (fflush(file) != 0 || ferror(file))
            error = errno ? errno : EIO;
        /* Not left to the creation mask. */
        if (!error && fchmod(descriptor, 0644) != 0)
            error = errno;
        if (fclose(file) != 0 && !error)
            error = errno;
    }
    if (!error && rename(made, taken->path) != 0)
        error = errno;
    if (error)
        unlink(made);
    free(bytes);
    return error;
}

#endif
