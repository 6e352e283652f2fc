/* Preloaded into PostgreSQL: while the file named by FULL_DISK is there, no table or index can grow, as on a disk without
   space. What is there already can be written over, as on any full disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Preloaded into our own process: while the file named by READ_ONLY_DISK is there, nothing below READ_ONLY_FOLDER can be
   written, as on a disk that the system made read-only. What is open stays open. */
static int is_read_only(const char *path)
{
    const char *flag = getenv("READ_ONLY_DISK"), *folder = getenv("READ_ONLY_FOLDER");
    return flag != NULL && folder != NULL && access(flag, F_OK) == 0 && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_read_only_file(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return is_read_only(path);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_ACCMODE) != O_RDONLY && is_read_only(path)) {
        errno = EROFS;
        return -1;
    }
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}

int ftruncate64(int fd, off_t length)
{
    if (is_read_only_file(fd)) {
        errno = EROFS;
        return -1;
    }
    int (*real)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate64");
    return real(fd, length);
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

static int refused(int fd, off_t end)
{
    const char *flag = getenv("FULL_DISK");
    char link[64], path[4096];
    struct stat file;
    if (flag == NULL || access(flag, F_OK) != 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return strstr(path, "/base/") != NULL && fstat(fd, &file) == 0 && end > file.st_size;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset)
{
    if (is_read_only_file(fd)) {
        errno = EROFS;
        return -1;
    }
    if (refused(fd, offset + (off_t)count)) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    return real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return pwrite64(fd, bytes, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    off_t end = offset;
    for (int part = 0; part < count; part++)
        end += (off_t)parts[part].iov_len;
    if (refused(fd, end)) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t (*real)(int, const struct iovec *, int, off_t) = dlsym(RTLD_NEXT, "pwritev64");
    return real(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev64(fd, parts, count, offset);
}

int posix_fallocate64(int fd, off_t offset, off_t length)
{
    if (refused(fd, offset + length))
        return ENOSPC;
    int (*real)(int, off_t, off_t) = dlsym(RTLD_NEXT, "posix_fallocate64");
    return real(fd, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    return posix_fallocate64(fd, offset, length);
}
