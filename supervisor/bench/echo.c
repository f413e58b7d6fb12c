/* The echo server in C: what `echo.py` does. The load generator in C must not be measured against something slower.
 *
 *     echo SOCKET REPLY_BYTES
 *
 * prints a line when it listens, and ends with its standard input.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, EVENTS_MAX = 256, BACKLOG = 1024, REPLIES_AT_ONCE = 64 };

static int fail(const char *what) {
    perror(what);
    return 1;
}

/* Answer what has come; return whether the client is still there. Blocking is fine: the generator never waits to send. */
static int answer(int client, char *replies, size_t reply_bytes) {
    static char buffer[READ_BYTES];
    ssize_t got = recv(client, buffer, READ_BYTES, 0);
    if (got <= 0) return 0;
    long lines = 0;
    for (char *at = buffer; (at = memchr(at, '\n', (size_t)(buffer + got - at))); at++) lines++;
    while (lines) {
        long some = lines < REPLIES_AT_ONCE ? lines : REPLIES_AT_ONCE;
        char *from = replies;
        for (size_t bytes = (size_t)some * reply_bytes; bytes;) {
            ssize_t gone = send(client, from, bytes, MSG_NOSIGNAL);
            if (gone < 0) return 0;
            from += gone;
            bytes -= (size_t)gone;
        }
        lines -= some;
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3 || strlen(argv[1]) >= sizeof((struct sockaddr_un *)0)->sun_path || atol(argv[2]) < 1) {
        fputs("usage: echo SOCKET REPLY_BYTES\n", stderr);
        return 2;
    }
    size_t reply_bytes = (size_t)atol(argv[2]);
    char *replies = malloc(REPLIES_AT_ONCE * reply_bytes);
    if (!replies) return fail("malloc");
    memset(replies, 'x', REPLIES_AT_ONCE * reply_bytes);
    for (long number = 1; number <= REPLIES_AT_ONCE; number++) replies[(size_t)number * reply_bytes - 1] = '\n';
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), poller = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || poller < 0) return fail("socket");
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, BACKLOG) != 0)
        return fail(argv[1]);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, end = {.events = EPOLLIN, .data.fd = 0};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0 || epoll_ctl(poller, EPOLL_CTL_ADD, 0, &end) != 0)
        return fail("epoll_ctl");
    puts("listening");
    fflush(stdout);
    for (;;) {
        struct epoll_event ready[EVENTS_MAX];
        int found = epoll_wait(poller, ready, EVENTS_MAX, -1);
        for (int place = 0; place < found; place++) {
            int which = ready[place].data.fd;
            if (which == 0) return 0;
            if (which == listener) {
                struct epoll_event client = {.events = EPOLLIN, .data.fd = accept(listener, NULL, NULL)};
                if (client.data.fd < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, client.data.fd, &client) != 0)
                    return fail("accept");
            } else if (!answer(which, replies, reply_bytes)) {
                close(which);
            }
        }
    }
}
