#include "control/base/result.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "control/base/text.h"

namespace minik {

namespace {

struct CodeRow {
  std::string_view reason;
  int http;
};

// In the order of ErrorCode.
constexpr std::array<CodeRow, 19> kCodes{{
    {"", 500},
    {"Unauthorized", 401},
    {"Forbidden", 403},
    {"NotFound", 404},
    {"AlreadyExists", 409},
    {"Conflict", 409},
    {"Gone", 410},
    {"Invalid", 422},
    {"ServerTimeout", 500},
    {"Timeout", 504},
    {"TooManyRequests", 429},
    {"BadRequest", 400},
    {"MethodNotAllowed", 405},
    {"NotAcceptable", 406},
    {"RequestEntityTooLarge", 413},
    {"UnsupportedMediaType", 415},
    {"InternalError", 500},
    {"Expired", 410},
    {"ServiceUnavailable", 503},
}};
static_assert(kCodes.size() == static_cast<size_t>(ErrorCode::kServiceUnavailable) + 1);

}  // namespace

std::string_view code_reason(ErrorCode code) { return kCodes[static_cast<size_t>(code)].reason; }

int code_http(ErrorCode code) { return kCodes[static_cast<size_t>(code)].http; }

ErrorCode code_from_reason(std::string_view reason) {
  for (size_t i = 1; i < kCodes.size(); ++i) {
    if (kCodes[i].reason == reason) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::kUnknown;
}

Error error_from_errno(int error_number, std::string_view what) {
  ErrorCode code = ErrorCode::kInternalError;
  if (error_number == ENOENT) code = ErrorCode::kNotFound;
  if (error_number == EACCES || error_number == EPERM) code = ErrorCode::kForbidden;
  if (error_number == ENOSPC || error_number == EDQUOT) code = ErrorCode::kServiceUnavailable;
  return Error(code, cat(what, ": ", std::strerror(error_number)));
}

}  // namespace minik
