// Kind and Type: what an expression of the Common Expression Language can be.
//
// A Kind is what the evaluator sees at run time; a Type is what the checker knows before, such as
// list(int) or a map whose fields are declared. `dyn` is the type of documents without a schema: it
// agrees with everything, and the evaluator finds out.
//
// Plain values, shared where they are large. Nothing here fails. Messages of protocol buffers are
// not there: objects stand in their place, as in Kubernetes.
//
// Follows https://github.com/google/cel-spec, doc/langdef.md; type names as cel-go prints them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace minik::control::cel {

enum class Kind : uint8_t {
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kList,
  kMap,
  kTimestamp,
  kDuration,
  kType,
  kOptional,
  kQuantity,
  kUrl,
  kIp,
  kCidr,
  kSemver,
  kFormat,
  kAuthorizer,
  kPathCheck,
  kGroupCheck,
  kResourceCheck,
  kDecision,  // Kubernetes' own
  kError,   // data only: an evaluation that failed
  kObject,  // data: what a mutating policy makes, Object{…} or JSONPatch{…}
  kDyn,
  kParameter  // types only
};

class Type {
 public:
  using Fields = std::map<std::string, Type, std::less<>>;

  Type(Kind kind = Kind::kDyn) : kind_(kind) {}  // NOLINT: implicit, Kind::kInt is the type int
  static Type list(Type item);
  static Type map(Type key, Type value);
  static Type optional(Type value);
  static Type type_of(Type value);
  // A map with declared fields: any other field is an error of the checker.
  static Type object(std::string name, Fields fields);
  // What Object.spec{…} makes: its fields are declared nowhere, so each is dyn.
  static Type open_object(std::string name);
  // A parameter of an overload: `A` in list(A).
  static Type parameter(std::string name);

  Kind kind() const { return kind_; }
  bool is_dyn() const { return kind_ == Kind::kDyn; }
  bool is_open_object() const { return kind_ == Kind::kObject && fields_ == nullptr; }
  const std::string& name() const { return name_; }
  // The i-th of list(A), map(A, B), optional_type(A), type(A); dyn when it was not said.
  const Type& parameter_at(size_t index) const;
  const Type* field(std::string_view name) const;

  std::string text() const;
  friend bool operator==(const Type& a, const Type& b);

 private:
  Kind kind_;
  std::string name_;
  std::vector<Type> parameters_;
  std::shared_ptr<const Fields> fields_;
};

// "int", "timestamp", "kubernetes.Quantity".
std::string_view kind_name(Kind kind);

}  // namespace minik::control::cel
