// Result<T>: a value or an Error, for everything that can fail because of the world outside.
//
// The codes are the reasons of Kubernetes' Status (metav1.StatusReason) one to one, so that an error
// made deep inside reaches kubectl without translation; code_http() gives the HTTP status that goes
// with each. An Error may carry causes, which is how validation names each bad field. Each layer adds
// its context once, outermost first: `start sandbox: mount /proc: Operation not permitted`.
//
// [[nodiscard]] everywhere: an ignored failure does not compile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "control/base/check.h"

namespace minik {

enum class ErrorCode : uint8_t {
  kUnknown,  // Status without a reason, 500
  kUnauthorized,
  kForbidden,
  kNotFound,
  kAlreadyExists,
  kConflict,
  kGone,
  kInvalid,
  kServerTimeout,
  kTimeout,
  kTooManyRequests,
  kBadRequest,
  kMethodNotAllowed,
  kNotAcceptable,
  kRequestEntityTooLarge,
  kUnsupportedMediaType,
  kInternalError,
  kExpired,
  kServiceUnavailable,
};

// "NotFound"; "" for kUnknown.
std::string_view code_reason(ErrorCode code);
int code_http(ErrorCode code);
// kUnknown for a reason that is not in the table.
ErrorCode code_from_reason(std::string_view reason);

// One entry of Status.details.causes: reason is a metav1.CauseType such as FieldValueInvalid.
struct ErrorCause {
  std::string reason;
  std::string message;
  std::string field;  // JSON path, as `spec.template.spec.containers[0].image`
};

struct Error {
  ErrorCode code = ErrorCode::kUnknown;
  std::string message;
  std::vector<ErrorCause> causes;
  int retry_after_seconds = 0;  // 0: none; else Status.details.retryAfterSeconds
  int http = 0;                 // the HTTP status where somebody else than the code decides it; 0: the code's own

  Error(ErrorCode c, std::string text) : code(c), message(std::move(text)) {}

  int http_status() const { return http != 0 ? http : code_http(code); }

  // The same error seen from one layer further out.
  [[nodiscard]] Error in(std::string_view context) && {
    message.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

// An Error from errno: `what: strerror`. Missing files are kNotFound, permissions kForbidden, a full
// disk kServiceUnavailable, anything else kInternalError.
Error error_from_errno(int error_number, std::string_view what);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  explicit operator bool() const { return state_.index() == 0; }
  bool ok() const { return state_.index() == 0; }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T& value() & {
    CHECK(ok()) << error_text();
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(ok()) << error_text();
    return std::get<0>(state_);
  }
  T&& value() && { return std::move(value()); }

  const Error& error() const& {
    CHECK(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    CHECK(!ok());
    return std::get<1>(std::move(state_));
  }

 private:
  std::string error_text() const { return ok() ? std::string() : std::get<1>(state_).message; }
  std::variant<T, Error> state_;
};

struct Unit {};

template <>
class [[nodiscard]] Result<void> : public Result<Unit> {
 public:
  Result() : Result<Unit>(Unit{}) {}
  Result(Error error) : Result<Unit>(std::move(error)) {}  // NOLINT
};

using Status = Result<void>;

// Leaves the enclosing function with the error of a failed Result; MINIK_ASSIGN also names the value:
//   MINIK_TRY(write_file(path, text));
//   MINIK_ASSIGN(const auto digest, store.put(blob));
#define MINIK_CONCAT_INNER(a, b) a##b
#define MINIK_CONCAT(a, b) MINIK_CONCAT_INNER(a, b)
#define MINIK_TRY(expression)                                                   \
  do {                                                                          \
    if (auto minik_result = (expression); !minik_result.ok()) {                 \
      return std::move(minik_result).error();                                   \
    }                                                                           \
  } while (false)
#define MINIK_ASSIGN(declaration, expression)                                   \
  auto MINIK_CONCAT(minik_result_, __LINE__) = (expression);                    \
  if (!MINIK_CONCAT(minik_result_, __LINE__).ok())                              \
    return std::move(MINIK_CONCAT(minik_result_, __LINE__)).error();            \
  declaration = *std::move(MINIK_CONCAT(minik_result_, __LINE__))

}  // namespace minik
