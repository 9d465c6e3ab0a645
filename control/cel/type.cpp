#include "control/cel/type.h"

#include "control/base/text.h"

namespace minik::control::cel {

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kUint:
      return "uint";
    case Kind::kDouble:
      return "double";
    case Kind::kString:
      return "string";
    case Kind::kBytes:
      return "bytes";
    case Kind::kList:
      return "list";
    case Kind::kMap:
      return "map";
    case Kind::kTimestamp:
      return "timestamp";
    case Kind::kDuration:
      return "duration";
    case Kind::kType:
      return "type";
    case Kind::kOptional:
      return "optional_type";
    case Kind::kQuantity:
      return "kubernetes.Quantity";
    case Kind::kUrl:
      return "kubernetes.URL";
    case Kind::kIp:
      return "net.IP";
    case Kind::kCidr:
      return "net.CIDR";
    case Kind::kSemver:
      return "kubernetes.Semver";
    case Kind::kFormat:
      return "kubernetes.NamedFormat";
    case Kind::kAuthorizer:
      return "kubernetes.authorization.Authorizer";
    case Kind::kPathCheck:
      return "kubernetes.authorization.PathCheck";
    case Kind::kGroupCheck:
      return "kubernetes.authorization.GroupCheck";
    case Kind::kResourceCheck:
      return "kubernetes.authorization.ResourceCheck";
    case Kind::kDecision:
      return "kubernetes.authorization.Decision";
    case Kind::kError:
      return "error";
    case Kind::kDyn:
      return "dyn";
    case Kind::kObject:
      return "object";
    case Kind::kParameter:
      return "parameter";
  }
  return "";
}

Type Type::list(Type item) {
  Type type(Kind::kList);
  type.parameters_ = {std::move(item)};
  return type;
}

Type Type::map(Type key, Type value) {
  Type type(Kind::kMap);
  type.parameters_ = {std::move(key), std::move(value)};
  return type;
}

Type Type::optional(Type value) {
  Type type(Kind::kOptional);
  type.parameters_ = {std::move(value)};
  return type;
}

Type Type::type_of(Type value) {
  Type type(Kind::kType);
  type.parameters_ = {std::move(value)};
  return type;
}

Type Type::object(std::string name, Fields fields) {
  Type type(Kind::kObject);
  type.name_ = std::move(name);
  type.fields_ = std::make_shared<const Fields>(std::move(fields));
  return type;
}

Type Type::open_object(std::string name) {
  Type type(Kind::kObject);
  type.name_ = std::move(name);
  return type;
}

Type Type::parameter(std::string name) {
  Type type(Kind::kParameter);
  type.name_ = std::move(name);
  return type;
}

const Type& Type::parameter_at(size_t index) const {
  static const Type dyn;
  return index < parameters_.size() ? parameters_[index] : dyn;
}

const Type* Type::field(std::string_view name) const {
  if (fields_ == nullptr) return nullptr;
  const auto found = fields_->find(name);
  return found == fields_->end() ? nullptr : &found->second;
}

std::string Type::text() const {
  if (kind_ == Kind::kObject || kind_ == Kind::kParameter) return name_;
  std::vector<std::string> parts;
  for (const auto& parameter : parameters_) parts.push_back(parameter.text());
  return parts.empty() ? std::string(kind_name(kind_))
                       : cat(kind_name(kind_), "(", join(parts, ", "), ")");
}

bool operator==(const Type& a, const Type& b) {
  return a.kind_ == b.kind_ && a.name_ == b.name_ && a.parameters_ == b.parameters_ &&
         a.fields_ == b.fields_;
}

}  // namespace minik::control::cel
