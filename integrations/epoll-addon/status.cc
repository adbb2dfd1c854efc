// What a descriptor or a path is: fstat(2) and lstat(2) by their numbers.
//
// libc has functions of these names in glibc 2.33 and later only (before, headers made them out of
// others), and a binary that asks for them would not load where the oldest Node still runs, on
// glibc 2.28. Knows no table. Source: fstat(2); the struct is the kernel's own on these machines.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"

namespace extpoll {

static_assert(sizeof(void*) == 8, "a 32-bit libc has a struct stat of its own");

bool status_of_fd(int fd, struct stat* about) { return syscall(SYS_fstat, fd, about) == 0; }

bool status_of_path(const char* path, struct stat* about) {
  return syscall(SYS_newfstatat, AT_FDCWD, path, about, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace extpoll
