// What only a build with AddressSanitizer does, so that it sees what is otherwise out of its sight:
// memory that comes from mmap, and what the kernel writes in a bare system call.
//
// Knows no table. Source: sanitizer/asan_interface.h of GCC and Clang.
#pragma once

#include <stddef.h>

#if defined(__has_feature)
#define EXTPOLL_HAS_FEATURE(name) __has_feature(name)
#else
#define EXTPOLL_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || EXTPOLL_HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>

namespace extpoll {

constexpr bool kSanitized = true;
inline void poison(void* memory, size_t size) { __asan_poison_memory_region(memory, size); }
inline void unpoison(void* memory, size_t size) { __asan_unpoison_memory_region(memory, size); }

}  // namespace extpoll

#else

namespace extpoll {

constexpr bool kSanitized = false;
inline void poison(void*, size_t) {}
inline void unpoison(void*, size_t) {}

}  // namespace extpoll

#endif
