#include "control/schema/decode.h"

#include <algorithm>
#include <optional>

#include "control/base/text.h"
#include "control/base/time.h"
#include "control/object/json.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

// Where the decoder stands; kept on the stack and spelled out only for a message.
struct Place {
  const Place* up = nullptr;
  std::string_view name;  // of a field or a map key; empty for an item
  size_t index = 0;
  bool map_key = false;
};

std::string path_of(const Place* place, bool with_items) {
  if (place == nullptr) return {};
  std::string path = path_of(place->up, with_items);
  if (place->up == nullptr) return path;  // the document itself
  if (place->name.empty()) {
    if (with_items) path += cat("[", place->index, "]");
  } else if (with_items || !place->map_key) {
    path += path.empty() ? std::string(place->name) : cat(".", place->name);
  }
  return path;
}

std::string_view scalar_name(BaseType base) {
  switch (base) {
    case BaseType::kInt32:
      return "int32";
    case BaseType::kInt64:
      return "int64";
    case BaseType::kBool:
      return "bool";
    case BaseType::kDouble:
      return "float64";
    case BaseType::kBytes:
      return "uint8";
    case BaseType::kQuantity:
      return "resource.Quantity";
    case BaseType::kIntOrString:
      return "intstr.IntOrString";
    case BaseType::kTime:
      return "v1.Time";
    case BaseType::kMicroTime:
      return "v1.MicroTime";
    default:
      return "string";
  }
}

std::string version_of(const TypeInfo& type) {
  return std::string(type.openapi.substr(type.openapi.rfind('.') + 1));
}

// The type as Go prints it: []v1.Container, map[string]string, int32, v1.Protocol.
std::string go_type(const TypeInfo& owner, const FieldInfo& field, bool element) {
  std::string name = field.type ? cat(version_of(*field.type), ".", field.type->name)
                                : std::string(scalar_name(field.base));
  if (!field.go_name.empty()) name = cat(version_of(owner), ".", field.go_name);
  if (field.base == BaseType::kBytes) name = "[]uint8";
  if (element) return name;
  switch (field.shape) {
    case Shape::kSingle:
      return name;
    case Shape::kList:
      return cat("[]", name);
    case Shape::kMap:
      return cat("map[string]", name);
    case Shape::kMapOfLists:
      return cat("map[string][]", name);
  }
  return name;
}

std::string_view json_kind(const Value& value) {
  switch (value.type()) {
    case ValueType::kBool:
      return "bool";
    case ValueType::kInt:
    case ValueType::kDouble:
      return "number";
    case ValueType::kString:
      return "string";
    case ValueType::kArray:
      return "array";
    case ValueType::kMap:
      return "object";
    default:
      return "null";
  }
}

class Decoder {
 public:
  explicit Decoder(std::vector<std::string>& unknown) : unknown_(unknown) {}

  // Absent: leave the field out. Nothing: failed, see error().
  std::optional<Value> object(const TypeInfo& type, const Value& value, const Value& known,
                              const Place* place);
  Error error() && { return Error(ErrorCode::kBadRequest, std::move(message_)); }

 private:
  std::optional<Value> field(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                             const Value& known, const Place* place);
  std::optional<Value> list(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                            const Value& known, const Place* place);
  std::optional<Value> map(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                           const Value& known, const Place* place);
  std::optional<Value> element(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                               const Value& known, const Place* place);
  std::optional<Value> scalar(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                              const Place* place);
  std::optional<Value> integer(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                               const Place* place);

  std::nullopt_t fail(std::string message) {
    message_ = std::move(message);
    return std::nullopt;
  }
  std::nullopt_t wrong_type(std::string_view owner, std::string_view found, std::string_view wanted,
                            const Place* place) {
    return fail(cat("json: cannot unmarshal ", found, " into Go struct field ", owner, ".",
                    path_of(place, false), " of type ", wanted));
  }

  std::vector<std::string>& unknown_;
  std::string message_;
};

// An optional value that says nothing: Go leaves it out when it writes the object back.
bool says_nothing(const FieldInfo& info, const Value& value) {
  if (info.zero_kept || !info.default_value.is_absent()) return false;
  if (info.shape != Shape::kSingle) return value.empty();
  switch (info.base) {
    case BaseType::kString:
    case BaseType::kBytes:
      return value.as_string("x").empty();
    case BaseType::kInt32:
    case BaseType::kInt64:
      return value.as_int(1) == 0;
    case BaseType::kBool:
      return !value.as_bool(true);
    default:
      return false;
  }
}

std::optional<Value> Decoder::object(const TypeInfo& type, const Value& value, const Value& known,
                                     const Place* place) {
  if (value.same_node(known)) return value;
  // Most documents come in finished form: entries are copied only once the first one changes.
  const auto entries = value.entries();
  std::vector<MapEntry> changed;
  bool copied = false;
  // Both are sorted alike: the next field is rarely far from the last one.
  auto next = type.fields.begin();
  for (size_t i = 0; i < entries.size(); ++i) {
    const Key& key = entries[i].key;
    const Value& item = entries[i].value;
    const auto found = std::find_if(next, type.fields.end(), [&](const FieldInfo& f) { return f.key == key; });
    const FieldInfo* info = found == type.fields.end() ? nullptr : &*found;
    if (info) next = found + 1;
    Value decoded;
    if (info == nullptr) {
      const Place here{place, key.text()};
      unknown_.push_back(cat("unknown field ", quoted(path_of(&here, true))));
    } else if (item.is_null()) {
      if (info->default_value.is_null() || info->base == BaseType::kAny) decoded = item;
    } else {
      const Place here{place, info->name};
      auto result = field(type, *info, item, known[key], &here);
      if (!result) return result;
      if (!says_nothing(*info, *result)) decoded = *std::move(result);
    }
    if (!copied && !decoded.same_node(item)) {
      changed.assign(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(i));
      copied = true;
    }
    if (copied && !decoded.is_absent()) changed.push_back({key, std::move(decoded)});
  }
  return copied ? Value::map(std::move(changed)) : value;
}

std::optional<Value> Decoder::field(const TypeInfo& owner, const FieldInfo& info,
                                    const Value& value, const Value& known, const Place* place) {
  if (value.same_node(known)) return value;
  switch (info.shape) {
    case Shape::kSingle:
      return element(owner, info, value, known, place);
    case Shape::kList:
      return list(owner, info, value, known, place);
    default:
      return map(owner, info, value, known, place);
  }
}

std::optional<Value> Decoder::list(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                                   const Value& known, const Place* place) {
  if (!value.is_array())
    return wrong_type(owner.name, json_kind(value), go_type(owner, info, false), place);
  const auto items = value.items();
  const auto known_items = known.items();
  std::vector<Value> changed;
  bool copied = false;
  for (size_t i = 0; i < items.size(); ++i) {
    const Place here{place, {}, i};
    std::optional<Value> decoded = Value();
    if (!items[i].is_null() || info.base == BaseType::kAny) {
      decoded = element(owner, info, items[i],
                        i < known_items.size() ? known_items[i] : Value::absent(), &here);
      if (!decoded) return decoded;
    } else if (info.base == BaseType::kObject) {
      decoded = Value::empty_map();  // Go reads a null item as a zero value
    } else {
      decoded = Value("");
    }
    if (!copied && !decoded->same_node(items[i])) {
      changed.assign(items.begin(), items.begin() + static_cast<ptrdiff_t>(i));
      changed.reserve(items.size());
      copied = true;
    }
    if (copied) changed.push_back(*std::move(decoded));
  }
  return copied ? Value::array(std::move(changed)) : value;
}

std::optional<Value> Decoder::map(const TypeInfo& owner, const FieldInfo& info, const Value& value,
                                  const Value& known, const Place* place) {
  if (!value.is_map())
    return wrong_type(owner.name, json_kind(value), go_type(owner, info, false), place);
  std::optional<MapBuilder> changed;
  for (const auto& [key, item] : value.entries()) {
    const Place here{place, key.text(), 0, true};
    std::optional<Value> decoded;
    if (info.shape == Shape::kMapOfLists) {
      decoded = item.is_null() ? Value::empty_array() : list(owner, info, item, known[key], &here);
    } else if (item.is_null() && info.base != BaseType::kAny) {
      decoded = info.base == BaseType::kObject ? Value::empty_map() : Value("");
      if (info.base == BaseType::kQuantity) decoded = Value("0");
    } else {
      decoded = element(owner, info, item, known[key], &here);
    }
    if (!decoded) return decoded;
    if (decoded->same_node(item)) continue;
    if (!changed) changed.emplace(value);
    changed->set(key, *std::move(decoded));
  }
  return changed ? std::move(*changed).build() : value;
}

std::optional<Value> Decoder::element(const TypeInfo& owner, const FieldInfo& info,
                                      const Value& value, const Value& known, const Place* place) {
  if (info.base != BaseType::kObject) return scalar(owner, info, value, place);
  if (!value.is_map())
    return wrong_type(owner.name, json_kind(value), go_type(owner, info, true), place);
  return object(*info.type, value, known, place);
}

std::optional<Value> Decoder::integer(const TypeInfo& owner, const FieldInfo& info,
                                      const Value& value, const Place* place) {
  const bool narrow = info.base != BaseType::kInt64;
  const int64_t number = value.as_int();
  if (value.is_int() && !(narrow && (number > INT32_MAX || number < INT32_MIN))) return value;
  return wrong_type(
      owner.name,
      value.is_number() ? cat("number ", to_json(value)) : std::string(json_kind(value)),
      scalar_name(info.base), place);
}

// The text of a time that is valid: whether the server itself would write it so.
bool is_canonical_time(std::string_view text, bool micro) {
  const bool leap_second = text[17] == '6';
  return text.size() == (micro ? 27 : 20) && text[10] == 'T' && text.back() == 'Z' && !leap_second &&
         (!micro || text[19] == '.');
}

std::optional<Value> canonical_time(const Value& value, bool micro) {
  const std::string_view text = value.as_string();
  const auto time = parse_time(text);
  if (!time) return std::nullopt;
  if (is_canonical_time(text, micro)) return value;
  const std::string canonical = micro ? format_micro_time(*time) : format_time(*time);
  return canonical == text ? value : Value(canonical);
}

// The byte at which Go's decoder gives up, or nothing for good base64. Line ends count for nothing.
std::optional<size_t> first_bad_byte(std::string_view text) {
  const auto in_alphabet = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  size_t in_group = 0, padding = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r') continue;
    if (c == '=' && (padding > 0 || in_group >= 2) && in_group + padding < 4) {
      ++padding;
      continue;
    }
    if (padding > 0 || !in_alphabet(c)) return i;
    in_group = (in_group + 1) % 4;
  }
  if (padding > 0) return in_group + padding == 4 ? std::nullopt : std::optional(text.size());
  return in_group == 0 ? std::nullopt : std::optional(text.size() - in_group);
}

std::optional<Value> Decoder::scalar(const TypeInfo& owner, const FieldInfo& info,
                                     const Value& value, const Place* place) {
  switch (info.base) {
    case BaseType::kAny:
    case BaseType::kObject:
      return value;
    case BaseType::kString:
      if (value.is_string()) return value;
      break;
    case BaseType::kBool:
      if (value.is_bool()) return value;
      break;
    case BaseType::kInt32:
    case BaseType::kInt64:
      return integer(owner, info, value, place);
    case BaseType::kDouble:
      if (value.is_number()) return value;
      break;
    case BaseType::kBytes:
      if (!value.is_string()) break;
      if (const auto bad = first_bad_byte(value.as_string())) {
        return fail(cat("illegal base64 data at input byte ", *bad));
      }
      return value;
    case BaseType::kQuantity: {
      const std::string text = value.is_number() ? to_json(value) : value.string();
      if (!value.is_string() && !value.is_number()) break;
      const auto quantity = Quantity::parse(text);
      if (!quantity) return fail(quantity.error().message);
      const std::string canonical = quantity->text();
      return value.is_string() && canonical == text ? value : Value(canonical);
    }
    case BaseType::kIntOrString:
      if (value.is_string()) return value;
      if (value.is_int()) return integer(owner, info, value, place);
      return fail(
          cat("json: cannot unmarshal ",
              value.is_number() ? cat("number ", to_json(value)) : std::string(json_kind(value)),
              " into Go value of type int32"));
    case BaseType::kTime:
    case BaseType::kMicroTime: {
      if (!value.is_string()) {
        return fail(
            cat("json: cannot unmarshal ", json_kind(value), " into Go value of type string"));
      }
      auto time = canonical_time(value, info.base == BaseType::kMicroTime);
      if (time) return time;
      const std::string_view layout = info.base == BaseType::kMicroTime
                                          ? "2006-01-02T15:04:05.000000Z07:00"
                                          : "2006-01-02T15:04:05Z07:00";
      return fail(cat("parsing time ", quoted(value.as_string()), " as ", quoted(layout),
                      ": cannot parse ", quoted(value.as_string()), " as \"2006\""));
    }
  }
  return wrong_type(owner.name, json_kind(value), go_type(owner, info, true), place);
}

}  // namespace

Result<Decoded> decode(const TypeInfo& type, const Value& document, const Value& known) {
  Decoded result;
  if (!document.is_map()) {
    return Error(ErrorCode::kBadRequest,
                 cat("json: cannot unmarshal ", json_kind(document), " into Go value of type ",
                     version_of(type), ".", type.name));
  }
  Decoder decoder(result.unknown_fields);
  const Place root;
  auto object = decoder.object(type, document, known, &root);
  if (!object) return std::move(decoder).error();
  result.object = *std::move(object);
  return result;
}

Error cannot_be_handled(std::string_view api_version, std::string_view kind,
                        std::string_view wanted_kind, std::string_view sentence) {
  const std::string_view version = api_version.substr(api_version.find('/') + 1);
  return Error(ErrorCode::kBadRequest,
               cat(kind, " in version ", quoted(version), " cannot be handled as a ", wanted_kind,
                   ": ", sentence));
}

std::string strict_decoding_sentence(const std::vector<std::string>& complaints) {
  return cat("strict decoding error: ", join(complaints, ", "));
}

}  // namespace minik::control
