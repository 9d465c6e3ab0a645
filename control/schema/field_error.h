// What validation says: a list of complaints about fields, in Kubernetes' words.
//
// A FieldPath is where a validator stands ("spec.containers[0].image"). It is a chain of stack
// frames, spelled out only when there is something to complain about; a child borrows its parent,
// so a path is never made from a temporary and never kept. FieldErrors collects; to_error() makes
// the Invalid error whose message and causes are those of kube-apiserver's Status:
//   Deployment.apps "web" is invalid: spec.template.spec.containers[0].image: Required value
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

class FieldPath {
 public:
  FieldPath() = default;  // the object itself
  explicit FieldPath(std::string_view name) : name_(name), kind_(Kind::kField) {}

  // `name` may be several fields: "metadata.labels".
  FieldPath field(std::string_view name) const& { return {this, name, 0, Kind::kField}; }
  FieldPath index(size_t i) const& { return {this, {}, i, Kind::kIndex}; }
  FieldPath key(std::string_view name) const& { return {this, name, 0, Kind::kKey}; }
  FieldPath field(std::string_view) && = delete;
  FieldPath index(size_t) && = delete;
  FieldPath key(std::string_view) && = delete;

  std::string text() const;

 private:
  enum class Kind : unsigned char { kRoot, kField, kIndex, kKey };
  FieldPath(const FieldPath* up, std::string_view name, size_t index, Kind kind)
      : up_(up), name_(name), index_(index), kind_(kind) {}

  const FieldPath* up_ = nullptr;
  std::string_view name_;
  size_t index_ = 0;
  Kind kind_ = Kind::kRoot;
};

enum class FieldErrorType : unsigned char {
  kNotFound,
  kRequired,
  kDuplicate,
  kInvalid,
  kNotSupported,
  kForbidden,
  kTooLong,
  kTooMany,
  kTypeInvalid,
};

struct FieldError {
  FieldErrorType type;
  std::string field;
  std::string bad_value;  // as it is printed: quoted text, number, JSON
  std::string detail;

  // "Invalid value: -1: must be greater than or equal to 0".
  std::string body() const;
  std::string text() const;  // field: body
};

class FieldErrors {
 public:
  void required(const FieldPath& at, std::string_view detail = {});
  void invalid(const FieldPath& at, const Value& bad, std::string_view detail);
  void type_invalid(const FieldPath& at, const Value& bad, std::string_view detail);
  void not_supported(const FieldPath& at, const Value& bad,
                     std::span<const std::string_view> supported);
  void not_found(const FieldPath& at, const Value& bad);
  void duplicate(const FieldPath& at, const Value& bad);
  void forbidden(const FieldPath& at, std::string_view detail);
  void too_long(const FieldPath& at, size_t bytes_max);
  void too_many(const FieldPath& at, size_t count, size_t count_max);
  // One Invalid for each detail: what the checks of names.h return.
  void invalid_each(const FieldPath& at, const Value& bad, const std::vector<std::string>& details);

  void add(FieldErrors others);

  bool empty() const { return list_.empty(); }
  // Whether there is a complaint about this very field.
  bool name(const FieldPath& at) const;
  const std::vector<FieldError>& list() const { return list_; }
  // The complaints alone: one sentence, or several in brackets.
  std::string text() const;
  // CHECKs that there is something to complain about.
  Error to_error(const ResourceInfo& resource, std::string_view name) const;

 private:
  void add(FieldErrorType type, const FieldPath& at, std::string bad, std::string_view detail);
  std::vector<FieldError> list_;
};

}  // namespace minik::control
