// hookgate.c for those whose compiler speaks C++.

#include "hookgate.c"

#if defined(__wasm__) && __has_include(<__verbose_abort>)

#include <__verbose_abort>

// What the standard library calls where it cannot go on. Its own function writes to standard error, and would have each
// plugin that uses std::string import all that it takes to write files.
void std::__libcpp_verbose_abort(const char *format, ...) noexcept(noexcept(std::__libcpp_verbose_abort(""))) {
    size_t size;
    va_list list;
    va_start(list, format);
    const char *text = make_text(format, list, &size);
    va_end(list);
    hookgate_log_text(HOOKGATE_ERROR, text, size);
    abort();
}

#endif
