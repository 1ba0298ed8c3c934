/* Follows the shared memory of feed-handler until its writer ends, and says what was there.
 *
 *     cc -O2 -std=c11 -o example_tail example_tail.c
 *     ./example_tail /dev/shm/feed [SYMBOL]        prints the records of a symbol as they come
 *
 * At the end: how many records it read and lost, a sum of all their words by word and position, the instruments with
 * their quotes. How long records took to come here it leaves beside the file, for the report of the run.
 */
#include "feed_shm.h"
#include "feed_taken.h"

static void print(const struct feed_shm_record *r)
{
    printf("%.8s %u %" PRIu64 " price %" PRId64 " quantity %" PRIu32 "\n", r->symbol, r->kind, r->sequence, r->price,
           r->quantity);
}

int main(int argc, char **argv)
{
    struct feed_shm feed;
    struct feed_shm_cursor cursor;
    struct feed_shm_record records[64];
    static struct feed_taken taken;
    uint64_t read = 0, sum = 0, lost;
    int was_dead = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: example_tail FILE [SYMBOL]\n");
        return 2;
    }
    int error = feed_shm_open(&feed, argv[1], FEED_SHM_US);
    if (error) {
        fprintf(stderr, "%s: %s\n", argv[1], feed_shm_strerror(error));
        return 2;
    }
    char symbol[9];
    snprintf(symbol, sizeof symbol, "%-8s", argc > 2 ? argv[2] : "");

    feed_taken_begin(&taken, &feed, argv[1]);
    feed_shm_from_oldest(&feed, &cursor);
    /* What was there before says nothing of how fast this is. */
    uint64_t live = cursor.head_seen;
    printf("session %s, epoch %" PRIu64 "\n", feed.session, feed.epoch);
    fflush(stdout);
    for (;;) {
        size_t n = feed_shm_read(&feed, &cursor, records, 64, &lost);
        size_t earlier = cursor.position >= live + n ? 0 : live + n - cursor.position;
        if (earlier < n)
            feed_taken_record(&taken, records + earlier, n - earlier);
        for (size_t i = 0; i < n; i++) {
            uint64_t words[8], of_record = 0;
            memcpy(words, records + i, sizeof words);
            for (size_t w = 0; w < 8; w++)
                of_record += words[w] * (2 * w + 1);
            sum += of_record * (cursor.position - n + i + 1);
            if (argc > 2 && memcmp(records[i].symbol, symbol, 8) == 0)
                print(records + i);
        }
        read += n;
        if (n || lost)
            continue;
        /* A writer that was killed says nothing; what it had published is read to its end all the same. */
        if (feed_shm_is_closed(&feed, &cursor) || was_dead)
            break;
        was_dead = feed_shm_standing(&feed) == FEED_SHM_DEAD;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }

    /* At once: the run waits no longer than it must. */
    error = feed_taken_leave(&taken);
    if (error && error != EACCES && error != EPERM)
        fprintf(stderr, "%s: its latency is not left: %s\n", argv[1], feed_shm_strerror(error));

    static const char *const standings[] = {"live", "closed", "dead", "superseded", "unseen"};
    printf("read %" PRIu64 " lost %" PRIu64 " sum %" PRIu64 "\n", read, cursor.lost, sum);
    printf("ended %s\n", standings[feed_shm_standing(&feed)]);
    struct feed_shm_channel channel;
    for (uint32_t i = 0; feed_shm_channel(&feed, i, &channel); i++)
        printf("channel %u %s %s\n", channel.number, channel.name, channel.protocol);
    for (uint32_t row = 0; row < feed_shm_rows(&feed); row++) {
        struct feed_shm_instrument it;
        struct feed_shm_quote q;
        if (feed_shm_instrument(&feed, row, &it) != 1)
            continue;
        printf("instrument %u %s of channel %u: ", it.instrument, it.name, it.channel);
        if (feed_shm_find(&feed, it.name) == row && feed_shm_quote(&feed, row, &q) == 1)
            printf("%" PRId64 " x %" PRIu64 ", %" PRId64 " x %" PRIu64 " at %" PRIu64 " trust %u flags %u\n", q.bid,
                   q.bid_quantity, q.ask, q.ask_quantity, q.sequence, q.trust, q.flags);
        else
            printf("no quote\n");
    }
    feed_shm_close(&feed);
    return 0;
}
