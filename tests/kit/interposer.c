/*
 * An LD_PRELOAD library that counts the system calls by which Perdure changes the world, and spoils chosen ones.
 *
 * One counter, in a file that is mapped by every process it is given to, counts calls that change something below one
 * folder (files of the state directory, sockets bound there) over all processes and threads. A fault counts, of these,
 * the calls of its kinds on its files. When it reaches its `at`, the call fails, is done by half, comes back short, waits, or the process dies before, within or after it; and so
 * does every `every`-th call from there on, `times` in all (0: until the plan is changed). Every call is written into a
 * log in the same file. The plan can be changed while processes run.
 *
 * The layout of the three structures is known to interposer.py, which makes the file.
 * A process takes part when INTERPOSER_FILE names the file and INTERPOSER_KIND, if set, occurs in its command line, or
 * when it calls interposer_arm.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 232
#define FOLDER_BYTES 256
#define WHERE_BYTES 64
#define FAULTS 4

enum call {
    WRITE, PWRITE, WRITEV, FSYNC, FDATASYNC, SYNC_FILE_RANGE, SYNCFS, RENAME, LINK, UNLINK, FTRUNCATE, FALLOCATE,
    CREATE, SEND, MKDIR, RMDIR, SENDFILE, COPY_FILE_RANGE
};

enum action { NOTHING, FAIL, FAIL_AFTER, HALF_THEN_FAIL, KILL_BEFORE, KILL_AFTER, HALF_THEN_KILL, SHORT, DELAY };

struct fault {
    uint64_t at;          /* the first call that is spoiled, counted among those that match, from 1; 0: none */
    uint64_t every;
    uint64_t times;
    uint64_t calls;       /* bit by enum call: which calls match */
    uint64_t matched;     /* how many did so far */
    uint32_t action;
    int32_t error;        /* errno of a failure */
    uint32_t delay_ms;
    uint32_t taken_bytes; /* how much of a write by half is done; 0: half of it */
    char where[WHERE_BYTES]; /* what a matching path contains */
};

struct control {
    uint64_t counter;     /* calls so far */
    uint64_t hits;        /* how many were spoiled */
    uint32_t log_max;
    uint32_t pairs;       /* whether unnamed sockets count too: those between Perdure's own processes */
    struct fault faults[FAULTS];
    char folder[FOLDER_BYTES];
};

struct entry {
    uint32_t call;
    uint32_t process;
    uint32_t hit;         /* what became of it: enum action */
    int32_t error;        /* the errno that the caller saw; 0 when it was done */
    int64_t size;
    char path[PATH_BYTES]; /* below the folder; of a rename or link, the new name */
};

static struct control *control;
static struct entry *entries;

int interposer_arm(const char *file) {
    int descriptor = open(file, O_RDWR | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0) return -1;
    if (fstat(descriptor, &status) != 0) { close(descriptor); return -1; }
    void *map = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (map == MAP_FAILED) return -1;
    entries = (struct entry *)((struct control *)map + 1);
    control = map;
    return 0;
}

__attribute__((constructor)) static void arm_by_environment(void) {
    const char *file = getenv("INTERPOSER_FILE"), *kind = getenv("INTERPOSER_KIND");
    if (file == NULL) return;
    if (kind != NULL) {
        char line[4096];
        int descriptor = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
        ssize_t length = descriptor < 0 ? 0 : read(descriptor, line, sizeof line - 1);
        if (descriptor >= 0) close(descriptor);
        if (length <= 0) return;
        for (ssize_t i = 0; i < length; i++) if (line[i] == '\0') line[i] = ' ';
        line[length] = '\0';
        if (strstr(line, kind) == NULL) return;
    }
    interposer_arm(file);
}

/* Where a call goes: the path below the folder, or NULL when it is none of ours. `text` is room for it. */

static const char *below_folder(const char *path) {
    size_t length = strlen(control->folder);
    if (strncmp(path, control->folder, length) != 0 || (path[length] != '/' && path[length] != '\0')) return NULL;
    return path[length] == '/' ? path + length + 1 : path + length;
}

static const char *of_socket(int descriptor, char *text) {
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    memset(&name, 0, sizeof name);
    if (getsockname(descriptor, (struct sockaddr *)&name, &length) != 0 || name.sun_family != AF_UNIX) return NULL;
    if (name.sun_path[0] == '\0') return control->pairs ? "(pair)" : NULL;
    snprintf(text, PATH_MAX, "%.*s", (int)sizeof name.sun_path, name.sun_path);
    return below_folder(text);
}

static const char *of_descriptor(int descriptor, char *text) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, text, PATH_MAX - 1);
    if (length < 0) return NULL;
    text[length] = '\0';
    return text[0] == '/' ? below_folder(text) : strncmp(text, "socket:", 7) == 0 ? of_socket(descriptor, text) : NULL;
}

static const char *of_path(int directory, const char *path, char *text) {
    if (path[0] == '/') return below_folder(path);
    char link[64];
    if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, text, PATH_MAX - 1);
    if (length < 0 || (size_t)length + strlen(path) + 2 > PATH_MAX) return NULL;
    text[length] = '/';
    strcpy(text + length + 1, path);
    return below_folder(text);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static void wait_ms(uint32_t delay_ms) {
    struct timespec left = {delay_ms / 1000, (long)(delay_ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

/* The fault that a call meets; every fault counts the calls that match it. */
static const struct fault *fault_of(enum call call, const char *path) {
    const struct fault *met = NULL;
    for (int i = 0; i < FAULTS; i++) {
        struct fault *fault = &control->faults[i];
        if (fault->at == 0 || !(fault->calls >> call & 1)) continue;
        if (fault->where[0] != '\0' && strstr(path, fault->where) == NULL) continue;
        uint64_t number = __atomic_add_fetch(&fault->matched, 1, __ATOMIC_SEQ_CST);
        if (met != NULL || number < fault->at || (number - fault->at) % fault->every != 0) continue;
        if (fault->times == 0 || (number - fault->at) / fault->every < fault->times) met = fault;
    }
    return met;
}

/* Count a call and say what is to become of it; the fault goes to `spoiled`. */
static __thread const struct fault *spoiled;
static __thread struct entry *noted;

static enum action judge(enum call call, const char *path, int64_t size) {
    int error = errno;
    noted = NULL; /* what becomes of a call that is none of ours is not noted at the one before it */
    spoiled = NULL;
    if (path == NULL) return NOTHING;
    if (path[0] == '(' && size <= 1) return NOTHING; /* how trio wakes its own loop, from another thread */
    uint64_t number = __atomic_add_fetch(&control->counter, 1, __ATOMIC_SEQ_CST);
    const struct fault *fault = fault_of(call, path);
    noted = number <= control->log_max ? &entries[number - 1] : NULL;
    if (noted != NULL) {
        noted->call = call;
        noted->process = (uint32_t)getpid();
        noted->hit = fault == NULL ? NOTHING : fault->action;
        noted->size = size;
        strncpy(noted->path, path, PATH_BYTES - 1);
    }
    errno = error;
    spoiled = fault;
    if (fault == NULL) return NOTHING;
    __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
    if (fault->action == KILL_BEFORE) die();
    if (fault->action == DELAY) { wait_ms(fault->delay_ms); errno = error; return NOTHING; }
    return fault->action;
}

static int failed(void) {
    if (noted != NULL) noted->error = errno;
    return -1;
}

static int refused(void) { errno = spoiled->error; return failed(); }

/* What follows a call that was done as it should be. */
#define DONE(action, result) do { \
    if ((action) == KILL_AFTER || (action) == HALF_THEN_KILL) die(); \
    if ((action) == FAIL_AFTER && (result) != -1) return refused(); \
    if ((result) == -1) return failed(); \
    return (result); } while (0)

static size_t taken(size_t size) {
    size_t some = spoiled == NULL || spoiled->taken_bytes == 0 ? size / 2 : spoiled->taken_bytes;
    return size == 0 ? 0 : some >= size ? size - 1 : some;
}

#define REAL(name) static __typeof__(name) *real_##name; \
    if (real_##name == NULL) real_##name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* Calls that carry bytes: `partly(n)` does the first n of them. */
#define CARRY(call, path, size, whole, partly) do { \
    if (control == NULL) return (whole); \
    enum action action = judge((call), (path), (int64_t)(size)); \
    size_t some = taken(size); \
    switch (action) { \
    case FAIL: return refused(); \
    case HALF_THEN_FAIL: if (some > 0) (void)!(partly); return refused(); \
    case HALF_THEN_KILL: if (some > 0) (void)!(partly); die(); return 0; \
    case SHORT: return some > 0 ? (partly) : (whole); \
    default: { __typeof__(whole) result = (whole); DONE(action, result); } \
    } } while (0)

/* Calls that are done or not. */
#define DO(call, path, whole) do { \
    if (control == NULL) return (whole); \
    enum action action = judge((call), (path), 0); \
    if (action == FAIL || action == HALF_THEN_FAIL) return refused(); \
    __typeof__(whole) result = (whole); \
    DONE(action, result); } while (0)

#define PLACE char text[PATH_MAX]; text[0] = '\0'
#define AT(descriptor) (control == NULL ? NULL : of_descriptor((descriptor), text))
#define NAMED(directory, path) (control == NULL ? NULL : of_path((directory), (path), text))

static enum call kind_of(int descriptor, enum call otherwise) {
    struct stat status;
    int error = errno, is_socket = control != NULL && fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
    errno = error;
    return is_socket ? SEND : otherwise;
}

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(write); PLACE;
    CARRY(kind_of(descriptor, WRITE), AT(descriptor), size,
          real_write(descriptor, data, size), real_write(descriptor, data, some));
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
    REAL(pwrite); PLACE;
    CARRY(PWRITE, AT(descriptor), size,
          real_pwrite(descriptor, data, size, offset), real_pwrite(descriptor, data, some, offset));
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
    REAL(pwrite64); PLACE;
    CARRY(PWRITE, AT(descriptor), size,
          real_pwrite64(descriptor, data, size, offset), real_pwrite64(descriptor, data, some, offset));
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(writev); REAL(write); PLACE;
    size_t size = count > 0 ? parts[0].iov_len : 0; /* by half means within the first part */
    CARRY(kind_of(descriptor, WRITEV), AT(descriptor), size,
          real_writev(descriptor, parts, count), real_write(descriptor, parts[0].iov_base, some));
}

ssize_t send(int descriptor, const void *data, size_t size, int flags) {
    REAL(send); PLACE;
    CARRY(SEND, AT(descriptor), size,
          real_send(descriptor, data, size, flags), real_send(descriptor, data, some, flags));
}

ssize_t sendto(int descriptor, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    REAL(sendto); PLACE;
    CARRY(SEND, AT(descriptor), size, real_sendto(descriptor, data, size, flags, to, length),
          real_sendto(descriptor, data, some, flags, to, length));
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    REAL(sendmsg); REAL(send); PLACE;
    size_t size = message->msg_iovlen > 0 ? message->msg_iov[0].iov_len : 0;
    CARRY(SEND, AT(descriptor), size, real_sendmsg(descriptor, message, flags),
          real_send(descriptor, message->msg_iov[0].iov_base, some, flags));
}

ssize_t sendfile(int target, int source, off_t *offset, size_t size) {
    REAL(sendfile); PLACE;
    CARRY(SENDFILE, AT(target), size,
          real_sendfile(target, source, offset, size), real_sendfile(target, source, offset, some));
}

ssize_t sendfile64(int target, int source, off64_t *offset, size_t size) {
    REAL(sendfile64); PLACE;
    CARRY(SENDFILE, AT(target), size,
          real_sendfile64(target, source, offset, size), real_sendfile64(target, source, offset, some));
}

ssize_t copy_file_range(int source, off64_t *from, int target, off64_t *to, size_t size, unsigned int flags) {
    REAL(copy_file_range); PLACE;
    CARRY(COPY_FILE_RANGE, AT(target), size, real_copy_file_range(source, from, target, to, size, flags),
          real_copy_file_range(source, from, target, to, some, flags));
}

int fsync(int descriptor) { REAL(fsync); PLACE; DO(FSYNC, AT(descriptor), real_fsync(descriptor)); }

int fdatasync(int descriptor) { REAL(fdatasync); PLACE; DO(FDATASYNC, AT(descriptor), real_fdatasync(descriptor)); }

int syncfs(int descriptor) { REAL(syncfs); PLACE; DO(SYNCFS, AT(descriptor), real_syncfs(descriptor)); }

int sync_file_range(int descriptor, off64_t offset, off64_t size, unsigned int flags) {
    REAL(sync_file_range); PLACE;
    DO(SYNC_FILE_RANGE, AT(descriptor), real_sync_file_range(descriptor, offset, size, flags));
}

int ftruncate(int descriptor, off_t size) {
    REAL(ftruncate); PLACE; DO(FTRUNCATE, AT(descriptor), real_ftruncate(descriptor, size));
}

int ftruncate64(int descriptor, off64_t size) {
    REAL(ftruncate64); PLACE; DO(FTRUNCATE, AT(descriptor), real_ftruncate64(descriptor, size));
}

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
    REAL(fallocate); PLACE; DO(FALLOCATE, AT(descriptor), real_fallocate(descriptor, mode, offset, size));
}

int fallocate64(int descriptor, int mode, off64_t offset, off64_t size) {
    REAL(fallocate64); PLACE; DO(FALLOCATE, AT(descriptor), real_fallocate64(descriptor, mode, offset, size));
}

/* These two give the error as their result. */
int posix_fallocate(int descriptor, off_t offset, off_t size) {
    REAL(posix_fallocate); PLACE;
    if (control == NULL) return real_posix_fallocate(descriptor, offset, size);
    enum action action = judge(FALLOCATE, AT(descriptor), 0);
    if (action == FAIL || action == HALF_THEN_FAIL) return spoiled->error;
    int result = real_posix_fallocate(descriptor, offset, size);
    if (action == KILL_AFTER || action == HALF_THEN_KILL) die();
    return action == FAIL_AFTER && result == 0 ? spoiled->error : result;
}

int posix_fallocate64(int descriptor, off64_t offset, off64_t size) { return posix_fallocate(descriptor, offset, size); }

int rename(const char *from, const char *to) {
    REAL(rename); PLACE; DO(RENAME, NAMED(AT_FDCWD, to), real_rename(from, to));
}

int renameat(int source, const char *from, int target, const char *to) {
    REAL(renameat); PLACE; DO(RENAME, NAMED(target, to), real_renameat(source, from, target, to));
}

int renameat2(int source, const char *from, int target, const char *to, unsigned int flags) {
    REAL(renameat2); PLACE; DO(RENAME, NAMED(target, to), real_renameat2(source, from, target, to, flags));
}

int link(const char *from, const char *to) {
    REAL(link); PLACE; DO(LINK, NAMED(AT_FDCWD, to), real_link(from, to));
}

int linkat(int source, const char *from, int target, const char *to, int flags) {
    REAL(linkat); PLACE; DO(LINK, NAMED(target, to), real_linkat(source, from, target, to, flags));
}

int unlink(const char *path) { REAL(unlink); PLACE; DO(UNLINK, NAMED(AT_FDCWD, path), real_unlink(path)); }

int unlinkat(int directory, const char *path, int flags) {
    REAL(unlinkat); PLACE;
    DO(flags & AT_REMOVEDIR ? RMDIR : UNLINK, NAMED(directory, path), real_unlinkat(directory, path, flags));
}

int rmdir(const char *path) { REAL(rmdir); PLACE; DO(RMDIR, NAMED(AT_FDCWD, path), real_rmdir(path)); }

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir); PLACE; DO(MKDIR, NAMED(AT_FDCWD, path), real_mkdir(path, mode));
}

int mkdirat(int directory, const char *path, mode_t mode) {
    REAL(mkdirat); PLACE; DO(MKDIR, NAMED(directory, path), real_mkdirat(directory, path, mode));
}

/* Opening counts where it may create. */
#define MODE_OF(flags) mode_t mode = 0; if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
#define MADE(flags, directory, path) ((flags) & O_CREAT ? NAMED((directory), (path)) : NULL)

int open(const char *path, int flags, ...) {
    REAL(open); PLACE; MODE_OF(flags);
    DO(CREATE, MADE(flags, AT_FDCWD, path), real_open(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    REAL(open64); PLACE; MODE_OF(flags);
    DO(CREATE, MADE(flags, AT_FDCWD, path), real_open64(path, flags, mode));
}

int openat(int directory, const char *path, int flags, ...) {
    REAL(openat); PLACE; MODE_OF(flags);
    DO(CREATE, MADE(flags, directory, path), real_openat(directory, path, flags, mode));
}

int openat64(int directory, const char *path, int flags, ...) {
    REAL(openat64); PLACE; MODE_OF(flags);
    DO(CREATE, MADE(flags, directory, path), real_openat64(directory, path, flags, mode));
}

int creat(const char *path, mode_t mode) {
    REAL(creat); PLACE; DO(CREATE, NAMED(AT_FDCWD, path), real_creat(path, mode));
}
