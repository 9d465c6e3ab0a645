#include "control/object/given_status.h"

#include <algorithm>
#include <cstdint>

#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kGivenStatus = "GivenStatus";

}  // namespace

Error error_of_given_status(const Value& status) {
  Error error(code_from_reason(status[keys::kReason].as_string()), status[keys::kMessage].string());
  error.http = static_cast<int>(status[keys::kCode].as_int());
  error.retry_after_seconds =
      static_cast<int>(std::min<int64_t>(status[keys::kDetails][keys::kRetryAfterSeconds].as_int(), INT32_MAX));
  error.causes = {{std::string(kGivenStatus), to_json(status), ""}};
  return error;
}

Value given_status(const Error& error) {
  const auto given = std::ranges::find(error.causes, kGivenStatus, &ErrorCause::reason);
  if (given == error.causes.end()) return {};
  auto status = parse_json(given->message);
  return status ? *std::move(status) : Value();
}

bool is_status(const Value& document) { return document[keys::kKind].as_string() == "Status"; }

}  // namespace minik::control
