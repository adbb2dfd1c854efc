// Misuse from JavaScript, turned into one clear sentence and a code. Never reached on the hot path.
//
// Knows no syscall and no table. Each function leaves an exception pending in the environment.
#include <stdio.h>

#include "addon.h"

namespace extpoll {

constexpr size_t kMessageBytes = 200;
constexpr size_t kWantedBytes = 96;

void throw_type(napi_env env, const char* fn, const char* name, const char* wanted) {
  char text[kMessageBytes];
  snprintf(text, sizeof text, "%s: %s must be %s.", fn, name, wanted);
  napi_throw_type_error(env, "ERR_EXTPOLL_ARGUMENT_TYPE", text);
}

void throw_range(napi_env env, const char* fn, const char* name, const char* wanted) {
  char text[kMessageBytes];
  snprintf(text, sizeof text, "%s: %s must be %s.", fn, name, wanted);
  napi_throw_range_error(env, "ERR_EXTPOLL_ARGUMENT_RANGE", text);
}

void throw_number(napi_env env, const char* fn, const char* name, Range range, napi_value value) {
  char wanted[kWantedBytes];
  snprintf(wanted, sizeof wanted, "an integer from %.0f to %.0f", range.min, range.max);
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_number) {
    throw_range(env, fn, name, wanted);
  } else {
    throw_type(env, fn, name, wanted);
  }
}

void throw_code(napi_env env, const char* code, const char* fn, const char* sentence) {
  char text[kMessageBytes];
  snprintf(text, sizeof text, "%s: %s", fn, sentence);
  napi_throw_error(env, code, text);
}

bool text_argument(napi_env env, const char* fn, const char* name, napi_value value,
                   size_t max_bytes, std::string* out) {
  size_t bytes = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &bytes) != napi_ok) {
    throw_type(env, fn, name, "a string");
    return false;
  }
  if (bytes > max_bytes) {
    char wanted[kWantedBytes];
    snprintf(wanted, sizeof wanted, "at most %zu bytes long", max_bytes);
    throw_range(env, fn, name, wanted);
    return false;
  }
  std::string text(bytes + 1, '\0');
  if (napi_get_value_string_utf8(env, value, &text[0], bytes + 1, &bytes) != napi_ok) {
    throw_type(env, fn, name, "a string");
    return false;
  }
  text.resize(bytes);
  if (text.find('\0') != std::string::npos) {
    throw_range(env, fn, name, "a string without NUL characters");
    return false;
  }
  *out = text;
  return true;
}

}  // namespace extpoll
