/* Keeps, beside a folder, what of its files would be left after the power failed: of each file the bytes that its last
 * successful fsync or fdatasync held. To be preloaded. QD_SHADOW_FROM names the folder, QD_SHADOW_TO where the copies go.
 *
 * A file is read through the descriptor that was flushed: closing any other one of a database would drop SQLite's locks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* The copy's path for a path below the folder; 0 for any other. */
static int shadow_of(const char *path, char *out, size_t room)
{
    const char *from = getenv("QD_SHADOW_FROM"), *to = getenv("QD_SHADOW_TO");
    if (!from || !to || path[0] != '/')
        return 0;
    size_t length = strlen(from);
    if (strncmp(path, from, length) != 0 || path[length] != '/' || strchr(path + length + 1, '/'))
        return 0;
    return snprintf(out, room, "%s%s", to, path + length) < (int)room;
}

static void keep(int fd)
{
    char link[64], path[PATH_MAX], copy[PATH_MAX], part[PATH_MAX + 8], piece[1 << 16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return;
    path[length] = 0;
    if (!shadow_of(path, copy, sizeof copy))
        return;
    snprintf(part, sizeof part, "%s.part", copy);
    int out = open(part, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (out < 0)
        abort();
    off_t at = 0;
    for (ssize_t got; (got = pread(fd, piece, sizeof piece, at)) > 0; at += got)
        if (write(out, piece, (size_t)got) != got)
            abort();
    close(out);
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    if (real(part, copy) != 0)
        abort();
}

static int flush(const char *name, int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    pthread_mutex_lock(&turn);
    int result = real(fd);
    if (result == 0)
        keep(fd);
    pthread_mutex_unlock(&turn);
    return result;
}

int fsync(int fd) { return flush("fsync", fd); }

int fdatasync(int fd) { return flush("fdatasync", fd); }

int unlink(const char *path)
{
    char copy[PATH_MAX];
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    int result = real(path);
    if (result == 0 && shadow_of(path, copy, sizeof copy))
        real(copy);
    return result;
}

int rename(const char *old, const char *new)
{
    char from[PATH_MAX], to[PATH_MAX];
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    int result = real(old, new);
    if (result == 0 && shadow_of(old, from, sizeof from) && shadow_of(new, to, sizeof to))
        real(from, to);
    return result;
}
