// What threads need of glibc, by names that the oldest one has as well. For one file: resolver.cc.
//
// The prebuilt addon loads where Node does, on glibc 2.28 (prebuild.mjs checks it). Built beside a
// newer one it would ask for the versions with which these functions moved into libc.so; their
// first ones are there still, and the same. __libc_single_threaded is younger: libstdc++ looks at
// it to count references without a lock, and finds this one, which says no.
// Source: glibc's NEWS for 2.32 and 2.34; as(1), .symver.
#pragma once

#include <features.h>

#if defined(__GLIBC__) && defined(__x86_64__)
#define EXTPOLL_GLIBC_FLOOR "GLIBC_2.2.5"
#elif defined(__GLIBC__) && defined(__aarch64__)
#define EXTPOLL_GLIBC_FLOOR "GLIBC_2.17"
#endif

#ifdef EXTPOLL_GLIBC_FLOOR
__asm__(".symver pthread_create, pthread_create@" EXTPOLL_GLIBC_FLOOR);
__asm__(".symver pthread_sigmask, pthread_sigmask@" EXTPOLL_GLIBC_FLOOR);

extern "C" {
char __libc_single_threaded = 0;
}
#endif
