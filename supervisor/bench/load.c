/* The load generator in C: what `load.py` does, at a tenth of its processor time for each request. `programs` compiles
 * it where there is a compiler; then it takes the place of load.py.
 *
 *     load SOCKET PROTOCOL CONNECTIONS DEPTH PREFIX SECONDS WARM_S REQUESTS
 *
 * prints its outcome as one line of JSON: the members of `load.Outcome`. Exit 1 with a line on stderr when a connection
 * is lost or replies do not come. Frames, names, warming up and the wait for the last replies are those of load.py,
 * which says why.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, BODY_BYTES = 300, FRAME_BYTES_MAX = 1024, EVENTS_MAX = 256, MARK_BYTES_MAX = 32 };
static const double DRAIN_S = 60.0;

typedef struct {
    int socket;
    long sent;
    double *asked_s; /* a ring of `depth` moments: those of the requests in flight, the oldest first */
    long oldest, in_flight;
    char *unsent; /* never more than `depth` frames */
    size_t unsent_bytes;
    char tail[MARK_BYTES_MAX]; /* the end of what was read last: an error's mark may be cut in two */
    size_t tail_bytes;
} Connection;

static const char *prefix;
static int is_redis, count, poller;
static long depth, left;
static const char *mark;
static size_t mark_bytes;
static char body[BODY_BYTES + 1];
static Connection *connections;
static double *latencies_s;
static long replies, latencies_max, errors, total_in_flight;

static void fail(const char *form, ...) {
    va_list given;
    va_start(given, form);
    vfprintf(stderr, form, given);
    va_end(given);
    fputc('\n', stderr);
    exit(1);
}

static double now_s(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static size_t frame(char *into, int connection, long number) {
    char name[160];
    int length;
    if (is_redis) {
        int name_bytes = snprintf(name, sizeof name, "%s-%d-%09ld", prefix, connection, number);
        length = snprintf(into, FRAME_BYTES_MAX, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", name_bytes, name,
                          BODY_BYTES, body);
    } else {
        length = snprintf(into, FRAME_BYTES_MAX,
                          "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"task.create\",\"params\":{\"id\":\"%s-%d-%ld\","
                          "\"description\":\"%s\"}}\n",
                          number, prefix, connection, number, body);
    }
    return (size_t)length;
}

static void watch(int place, unsigned events, int how) {
    struct epoll_event event = {.events = events, .data.u32 = (unsigned)place};
    if (epoll_ctl(poller, how, connections[place].socket, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}

/* Send what waits; return whether nothing does any more. */
static int flush(Connection *one) {
    ssize_t gone = send(one->socket, one->unsent, one->unsent_bytes, MSG_NOSIGNAL);
    if (gone < 0) {
        if (errno == EAGAIN || errno == EINTR) return 0;
        fail("the server hung up: %s", strerror(errno));
    }
    one->unsent_bytes -= (size_t)gone;
    if (one->unsent_bytes) memmove(one->unsent, one->unsent + gone, one->unsent_bytes);
    return one->unsent_bytes == 0;
}

static void ask(int place, long number, double moment_s) {
    Connection *one = &connections[place];
    if (number > left) number = left;
    if (number <= 0) return;
    left -= number;
    for (long done = 0; done < number; done++) {
        one->unsent_bytes += frame(one->unsent + one->unsent_bytes, place, one->sent++);
        one->asked_s[(one->oldest + one->in_flight++) % depth] = moment_s;
    }
    total_in_flight += number;
    if (!flush(one)) watch(place, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void note(double latency_s) {
    if (replies == latencies_max) {
        latencies_max = latencies_max ? 2 * latencies_max : 1 << 16;
        latencies_s = realloc(latencies_s, (size_t)latencies_max * sizeof *latencies_s);
        if (!latencies_s) fail("no memory for %ld latencies", latencies_max);
    }
    latencies_s[replies++] = latency_s;
}

static void take(int place) {
    static char buffer[MARK_BYTES_MAX + READ_BYTES];
    Connection *one = &connections[place];
    char *data = buffer + one->tail_bytes;
    ssize_t got = recv(one->socket, data, READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) fail("the server hung up%s%s", got ? ": " : "", got ? strerror(errno) : "");
    double moment_s = now_s(CLOCK_MONOTONIC);
    char *end = data + got;
    long lines = 0;
    for (char *at = data; (at = memchr(at, '\n', (size_t)(end - at))); at++) lines++;
    memcpy(buffer, one->tail, one->tail_bytes);
    for (char *at = buffer; (at = memmem(at, (size_t)(end - at), mark, mark_bytes)); at += mark_bytes) errors++;
    one->tail_bytes = (size_t)(end - buffer) < mark_bytes - 1 ? (size_t)(end - buffer) : mark_bytes - 1;
    memcpy(one->tail, end - one->tail_bytes, one->tail_bytes);
    if (lines > one->in_flight) fail("more replies than requests");
    for (long done = 0; done < lines; done++) {
        note(moment_s - one->asked_s[one->oldest]);
        one->oldest = (one->oldest + 1) % depth;
    }
    one->in_flight -= lines;
    total_in_flight -= lines;
    ask(place, lines, moment_s);
}

/* Answer every reply with the next request, until then (0: without end) or until nothing is in flight any more. */
static void work_until(double deadline_s) {
    struct epoll_event ready[EVENTS_MAX];
    while (total_in_flight) {
        double left_s = deadline_s ? deadline_s - now_s(CLOCK_MONOTONIC) : 2 * DRAIN_S;
        if (left_s <= 0) return;
        int is_patient = left_s < DRAIN_S;
        int found = epoll_wait(poller, ready, EVENTS_MAX, (int)((is_patient ? left_s : DRAIN_S) * 1000) + 1);
        if (found < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
        if (found == 0 && !is_patient) fail("no reply within %g s", DRAIN_S);
        for (int place = 0; place < found; place++) {
            int which = (int)ready[place].data.u32;
            if (ready[place].events & EPOLLOUT && flush(&connections[which])) watch(which, EPOLLIN, EPOLL_CTL_MOD);
            if (ready[place].events & ~(unsigned)EPOLLOUT) take(which);
        }
    }
}

static void open_connection(int place, const char *path) {
    Connection *one = &connections[place];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) fail("%s is too long for a socket", path);
    strcpy(address.sun_path, path);
    one->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one->socket < 0 || connect(one->socket, (struct sockaddr *)&address, sizeof address) != 0)
        fail("%s: %s", path, strerror(errno));
    if (fcntl(one->socket, F_SETFL, O_NONBLOCK) != 0) fail("fcntl: %s", strerror(errno));
    one->asked_s = calloc((size_t)depth, sizeof *one->asked_s);
    one->unsent = malloc((size_t)depth * FRAME_BYTES_MAX);
    if (!one->asked_s || !one->unsent) fail("no memory for connection %d", place);
    watch(place, EPOLLIN, EPOLL_CTL_ADD);
}

static int ascending(const void *one, const void *other) {
    double first = *(const double *)one, second = *(const double *)other;
    return (first > second) - (first < second);
}

static double percentile_ms(const double *ordered, long number, int percent) {
    long rank = (number * percent + 99) / 100;
    return ordered[rank > 0 ? rank - 1 : 0] * 1000;
}

int main(int argc, char **argv) {
    if (argc != 9) {
        fputs("usage: load SOCKET PROTOCOL CONNECTIONS DEPTH PREFIX SECONDS WARM_S REQUESTS\n", stderr);
        return 2;
    }
    is_redis = strcmp(argv[2], "redis") == 0;
    mark = is_redis ? "-ERR" : "\"error\":{\"code\"";
    mark_bytes = strlen(mark);
    count = atoi(argv[3]);
    depth = atol(argv[4]);
    prefix = argv[5];
    double seconds = atof(argv[6]), warm_s = atof(argv[7]);
    left = atol(argv[8]) ? atol(argv[8]) : LONG_MAX;
    if (count < 1 || depth < 1 || strlen(prefix) > 100) fail("connections, depth or prefix make no sense");
    memset(body, 'x', BODY_BYTES);
    poller = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)count, sizeof *connections);
    if (poller < 0 || !connections) fail("cannot begin: %s", strerror(errno));
    for (int place = 0; place < count; place++) open_connection(place, argv[1]);
    for (int place = 0; place < count; place++) ask(place, depth, now_s(CLOCK_MONOTONIC));
    if (warm_s > 0) work_until(now_s(CLOCK_MONOTONIC) + warm_s);
    replies = 0;
    double begun_s = now_s(CLOCK_MONOTONIC), begun_cpu_s = now_s(CLOCK_PROCESS_CPUTIME_ID);
    work_until(seconds > 0 ? begun_s + seconds : 0);
    double took_s = now_s(CLOCK_MONOTONIC) - begun_s;
    double cpu_share = (now_s(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu_s) / took_s;
    long counted = replies;
    left = 0;
    work_until(now_s(CLOCK_MONOTONIC) + DRAIN_S);
    if (total_in_flight) fail("no reply within %g s", DRAIN_S);
    if (counted) qsort(latencies_s, (size_t)counted, sizeof *latencies_s, ascending);
    printf("{\"replies\":%ld,\"seconds\":%.9f,\"errors\":%ld,\"cpu_share\":%.6f,\"sent\":[", counted, took_s, errors,
           cpu_share);
    for (int place = 0; place < count; place++) printf("%s%ld", place ? "," : "", connections[place].sent);
    printf("],\"p50_ms\":%.6f,\"p90_ms\":%.6f,\"p99_ms\":%.6f,\"max_ms\":%.6f}\n",
           counted ? percentile_ms(latencies_s, counted, 50) : 0, counted ? percentile_ms(latencies_s, counted, 90) : 0,
           counted ? percentile_ms(latencies_s, counted, 99) : 0, counted ? latencies_s[counted - 1] * 1000 : 0);
    return 0;
}
