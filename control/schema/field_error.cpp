#include "control/schema/field_error.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::control {

namespace {

std::string_view type_text(FieldErrorType type) {
  switch (type) {
    case FieldErrorType::kNotFound:
      return "Not found";
    case FieldErrorType::kRequired:
      return "Required value";
    case FieldErrorType::kDuplicate:
      return "Duplicate value";
    case FieldErrorType::kNotSupported:
      return "Unsupported value";
    case FieldErrorType::kForbidden:
      return "Forbidden";
    case FieldErrorType::kTooLong:
      return "Too long";
    case FieldErrorType::kTooMany:
      return "Too many";
    case FieldErrorType::kInvalid:
    case FieldErrorType::kTypeInvalid:
      break;
  }
  return "Invalid value";
}

std::string_view cause_reason(FieldErrorType type) {
  switch (type) {
    case FieldErrorType::kNotFound:
      return "FieldValueNotFound";
    case FieldErrorType::kRequired:
      return "FieldValueRequired";
    case FieldErrorType::kDuplicate:
      return "FieldValueDuplicate";
    case FieldErrorType::kNotSupported:
      return "FieldValueNotSupported";
    case FieldErrorType::kForbidden:
      return "FieldValueForbidden";
    case FieldErrorType::kTooLong:
      return "FieldValueTooLong";
    case FieldErrorType::kTooMany:
      return "FieldValueTooMany";
    case FieldErrorType::kTypeInvalid:
      return "FieldValueTypeInvalid";
    case FieldErrorType::kInvalid:
      break;
  }
  return "FieldValueInvalid";
}

std::string printed(const Value& bad) {
  if (bad.is_string()) return quoted(bad.as_string());
  return bad.has_value() ? to_json(bad) : "null";
}

}  // namespace

std::string FieldPath::text() const {
  if (kind_ == Kind::kRoot) return {};
  std::string path = up_ ? up_->text() : std::string();
  switch (kind_) {
    case Kind::kIndex:
      return cat(path, "[", index_, "]");
    case Kind::kKey:
      return cat(path, "[", name_, "]");
    default:
      return path.empty() ? std::string(name_) : cat(path, ".", name_);
  }
}

std::string FieldError::body() const {
  std::string out(type_text(type));
  const bool with_value = type != FieldErrorType::kRequired && type != FieldErrorType::kForbidden &&
                          type != FieldErrorType::kTooLong;
  if (with_value) out += cat(": ", bad_value);
  if (!detail.empty()) out += cat(": ", detail);
  return out;
}

std::string FieldError::text() const {
  return cat(field, ": ", body());
}

void FieldErrors::add(FieldErrorType type, const FieldPath& at, std::string bad,
                      std::string_view detail) {
  list_.push_back({type, at.text(), std::move(bad), std::string(detail)});
}

bool FieldErrors::name(const FieldPath& at) const {
  if (list_.empty()) return false;
  const std::string field = at.text();
  return std::ranges::any_of(list_, [&](const FieldError& error) { return error.field == field; });
}

void FieldErrors::required(const FieldPath& at, std::string_view detail) {
  add(FieldErrorType::kRequired, at, {}, detail);
}

void FieldErrors::invalid(const FieldPath& at, const Value& bad, std::string_view detail) {
  add(FieldErrorType::kInvalid, at, printed(bad), detail);
}

void FieldErrors::type_invalid(const FieldPath& at, const Value& bad, std::string_view detail) {
  add(FieldErrorType::kTypeInvalid, at, printed(bad), detail);
}

void FieldErrors::invalid_each(const FieldPath& at, const Value& bad,
                               const std::vector<std::string>& details) {
  for (const auto& detail : details) invalid(at, bad, detail);
}

void FieldErrors::not_supported(const FieldPath& at, const Value& bad,
                                std::span<const std::string_view> supported) {
  std::vector<std::string> values;
  for (const auto value : supported) values.push_back(quoted(value));
  add(FieldErrorType::kNotSupported, at, printed(bad),
      cat("supported values: ", join(values, ", ")));
}

void FieldErrors::not_found(const FieldPath& at, const Value& bad) {
  add(FieldErrorType::kNotFound, at, printed(bad), {});
}

void FieldErrors::duplicate(const FieldPath& at, const Value& bad) {
  add(FieldErrorType::kDuplicate, at, printed(bad), {});
}

void FieldErrors::forbidden(const FieldPath& at, std::string_view detail) {
  add(FieldErrorType::kForbidden, at, {}, detail);
}

void FieldErrors::too_long(const FieldPath& at, size_t bytes_max) {
  add(FieldErrorType::kTooLong, at, {}, cat("may not be more than ", bytes_max, " bytes"));
}

void FieldErrors::too_many(const FieldPath& at, size_t count, size_t count_max) {
  add(FieldErrorType::kTooMany, at, cat(count),
      cat("must have at most ", count_max, count_max == 1 ? " item" : " items"));
}

void FieldErrors::add(FieldErrors others) {
  for (auto& error : others.list_) list_.push_back(std::move(error));
}

std::string FieldErrors::text() const {
  std::vector<std::string> sentences;
  for (const auto& error : list_) {
    std::string sentence = error.text();
    if (std::ranges::find(sentences, sentence) == sentences.end()) {
      sentences.push_back(std::move(sentence));
    }
  }
  return sentences.size() == 1 ? sentences[0] : cat("[", join(sentences, ", "), "]");
}

Error FieldErrors::to_error(const ResourceInfo& resource, std::string_view name) const {
  CHECK(!list_.empty());
  Error error(ErrorCode::kInvalid,
              cat(resource.group_kind(), " ", quoted(name), " is invalid: ", text()));
  for (const auto& entry : list_) {
    error.causes.push_back({std::string(cause_reason(entry.type)), entry.body(), entry.field});
  }
  return error;
}

}  // namespace minik::control
