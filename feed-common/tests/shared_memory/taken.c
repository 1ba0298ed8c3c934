/* Counts what it is given and leaves it: of its input, times with the records that were taken then. */
#include "feed_taken.h"

int main(int argc, char **argv)
{
    struct feed_shm feed;
    static struct feed_taken taken;
    static struct feed_shm_record records[4096];
    uint64_t head[2]; /* when, and how many records */

    int error = argc == 2 ? feed_shm_open(&feed, argv[1], FEED_SHM_US) : EINVAL;
    if (!error)
        error = feed_taken_begin(&taken, &feed, argv[1]);
    while (!error && fread(head, sizeof head, 1, stdin) == 1) {
        if (head[1] > 4096 || fread(records, sizeof *records, head[1], stdin) != head[1])
            error = EINVAL;
        else
            feed_taken_record_at(&taken, head[0], records, head[1]);
    }
    if (!error)
        error = feed_taken_leave(&taken);
    if (error)
        fprintf(stderr, "%s\n", feed_shm_strerror(error));
    return error != 0;
}
