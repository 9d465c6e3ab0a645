#include "control/admission/attributes.h"

#include "control/object/keys.h"

namespace minik::control {

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::kCreate: return "CREATE";
    case Operation::kUpdate: return "UPDATE";
    case Operation::kDelete: return "DELETE";
    case Operation::kConnect: return "CONNECT";
  }
  return "";
}

Value named_object(const ResourceInfo& as, const Value& object) {
  if (!object.has_value()) return nullptr;
  if (object[keys::kKind].has_value()) return object;  // a Scale, an Eviction
  return object.with(keys::kApiVersion, as.api_version).with(keys::kKind, as.kind);
}

Value user_document(const UserInfo& user) {
  const auto list = [](const std::vector<std::string>& texts) {
    return Value::array(std::vector<Value>(texts.begin(), texts.end()));
  };
  MapBuilder extra;
  for (const auto& [name, values] : user.extra) extra.set(Key(name), list(values));
  return Value::map({{keys::kUsername, user.name},
                     {keys::kUid, user.uid.empty() ? Value() : Value(user.uid)},
                     {keys::kGroups, user.groups.empty() ? Value() : list(user.groups)},
                     {keys::kExtra, extra.empty() ? Value() : std::move(extra).build()}});
}

}  // namespace minik::control
