#include "minik/net/protobuf_body.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/base/text.h"
#include "control/base/time.h"
#include "control/object/json.h"

namespace minik {
namespace {

using control::MapEntry;
using control::Value;

constexpr int kDepthMax = 64;
constexpr std::string_view kMagic("k8s\0", 4);

enum class Shape : uint8_t { kSingle, kList, kMap, kInline };
enum class Kind : uint8_t {
  kMessage,
  kText,
  kNumber,
  kTruth,
  kBytes,
  kTime,
  kMicrotime,
  kDuration,
  kQuantity,
  kIntorstring,
  kJson,
  kTexts,
};

struct Field {
  const char* name;
  uint16_t number;
  Shape shape;
  Kind kind;
  bool omit_empty;
  uint16_t message;  // of kMessage
};
struct Message {
  const char* name;
  uint16_t first;
  uint16_t count;
};

#include "minik/net/protobuf_fields.inc"

Error malformed() {
  return Error(ErrorCode::kBadRequest, "the body of the request is not a valid protobuf message");
}

enum class Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  Wire wire = Wire::kVarint;
  uint64_t value = 0;      // of kVarint
  std::string_view bytes;  // of kBytes
};

// The fields of one message, one after the other.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  bool at_end() const { return left_.empty(); }

  std::optional<WireField> next() {
    const auto key = varint();
    if (!key || *key >> 3 == 0 || *key >> 3 > 0xffff) return std::nullopt;
    WireField field;
    field.number = static_cast<uint32_t>(*key >> 3);
    field.wire = static_cast<Wire>(*key & 7);
    switch (field.wire) {
      case Wire::kVarint: {
        const auto value = varint();
        if (!value) return std::nullopt;
        field.value = *value;
        return field;
      }
      case Wire::kBytes: {
        const auto size = varint();
        if (!size || *size > left_.size()) return std::nullopt;
        return take(field, static_cast<size_t>(*size));
      }
      case Wire::kFixed64:
        return take(field, 8);
      case Wire::kFixed32:
        return take(field, 4);
    }
    return std::nullopt;  // groups are long out of use
  }

 private:
  std::optional<WireField> take(WireField field, size_t size) {
    if (size > left_.size()) return std::nullopt;
    field.bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return field;
  }
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(left_.front());
      left_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }
  std::string_view left_;
};

// All numbers of a message that holds nothing but numbers and texts: [number] = its last field.
std::optional<std::map<uint32_t, WireField>> small_message(std::string_view bytes) {
  std::map<uint32_t, WireField> fields;
  for (WireReader reader(bytes); !reader.at_end();) {
    const auto field = reader.next();
    if (!field) return std::nullopt;
    fields[field->number] = *field;
  }
  return fields;
}

Result<Value> decode_time(std::string_view bytes, Kind kind) {
  if (bytes.empty()) return Value();  // the zero time
  auto fields = small_message(bytes);
  if (!fields) return malformed();
  const auto seconds_part = static_cast<int64_t>((*fields)[1].value);
  const auto nanos = static_cast<int64_t>((*fields)[2].value);
  constexpr int64_t kSecondsMax = 9'000'000'000;
  if (seconds_part < -kSecondsMax || seconds_part > kSecondsMax || nanos < 0 ||
      nanos >= 1'000'000'000) {
    return malformed();
  }
  const WallTime time{seconds_part * 1'000'000'000 + nanos};
  return Value(kind == Kind::kTime ? format_time(time) : format_micro_time(time));
}

// The kinds that are messages on the wire and something smaller in JSON.
Result<Value> decode_special(std::string_view bytes, Kind kind) {
  if (kind == Kind::kTime || kind == Kind::kMicrotime) return decode_time(bytes, kind);
  if (kind == Kind::kTexts) {
    std::vector<Value> texts;
    for (WireReader reader(bytes); !reader.at_end();) {
      const auto field = reader.next();
      if (!field) return malformed();
      if (field->number == 1) texts.emplace_back(field->bytes);
    }
    return Value::array(std::move(texts));
  }
  auto fields = small_message(bytes);
  if (!fields) return malformed();
  switch (kind) {
    case Kind::kQuantity:
      return Value((*fields)[1].bytes);
    case Kind::kJson:
      if ((*fields)[1].bytes.empty()) return Value();
      return control::parse_json((*fields)[1].bytes);
    case Kind::kDuration:
      return Value(format_duration(nanoseconds(static_cast<int64_t>((*fields)[1].value))));
    default:
      break;
  }
  const bool is_text = (*fields)[1].value == 1;
  if (is_text) return Value((*fields)[3].bytes);
  return Value(static_cast<int64_t>(static_cast<int32_t>((*fields)[2].value)));
}

class Decoder {
 public:
  // The entries of a message; inline messages add theirs to their parent's.
  Status decode(const Message& message, std::string_view bytes, int depth,
                std::vector<MapEntry>& entries) const {
    if (depth > kDepthMax) return malformed();
    std::map<const Field*, std::vector<Value>> lists;
    std::map<const Field*, std::vector<MapEntry>> maps;
    for (WireReader reader(bytes); !reader.at_end();) {
      const auto wire = reader.next();
      if (!wire) return malformed();
      const Field* field = find(message, wire->number);
      if (field == nullptr) continue;
      switch (field->shape) {
        case Shape::kInline:
          if (wire->wire != Wire::kBytes) return malformed();
          MINIK_TRY(decode(kMessages[field->message], wire->bytes, depth + 1, entries));
          break;
        case Shape::kList: {
          MINIK_ASSIGN(Value item, value_of(*field, *wire, depth));
          lists[field].push_back(std::move(item));
          break;
        }
        case Shape::kMap:
          MINIK_TRY(add_map_entry(*field, *wire, depth, maps[field]));
          break;
        case Shape::kSingle: {
          MINIK_ASSIGN(Value value, value_of(*field, *wire, depth));
          if (field->omit_empty && is_zero(value)) break;
          entries.push_back({control::Key(field->name), std::move(value)});
          break;
        }
      }
    }
    for (auto& [field, items] : lists) {
      entries.push_back({control::Key(field->name), Value::array(std::move(items))});
    }
    for (auto& [field, items] : maps) {
      entries.push_back({control::Key(field->name), Value::map(std::move(items))});
    }
    return {};
  }

  static const Message* find_message(std::string_view name) {
    const auto* end = std::end(kMessages);
    const auto* found =
        std::lower_bound(std::begin(kMessages), end, name,
                         [](const Message& m, std::string_view n) { return m.name < n; });
    return found != end && found->name == name ? found : nullptr;
  }

 private:
  static const Field* find(const Message& message, uint32_t number) {
    for (uint16_t i = 0; i < message.count; ++i) {
      const Field& field = kFields[message.first + i];
      if (field.number == number) return &field;
    }
    return nullptr;
  }

  static bool is_zero(const Value& value) {
    return value == Value("") || value == Value(0) || value == Value(false);
  }

  Result<Value> value_of(const Field& field, const WireField& wire, int depth) const {
    const bool varint = field.kind == Kind::kNumber || field.kind == Kind::kTruth;
    if ((wire.wire == Wire::kVarint) != varint) return malformed();
    if (!varint && wire.wire != Wire::kBytes) return malformed();
    switch (field.kind) {
      case Kind::kNumber:
        return Value(static_cast<int64_t>(wire.value));
      case Kind::kTruth:
        return Value(wire.value != 0);
      case Kind::kText:
        return Value(wire.bytes);
      case Kind::kBytes:
        return Value(to_base64(wire.bytes));
      case Kind::kMessage: {
        std::vector<MapEntry> entries;
        MINIK_TRY(decode(kMessages[field.message], wire.bytes, depth + 1, entries));
        return Value::map(std::move(entries));
      }
      default:
        return decode_special(wire.bytes, field.kind);
    }
  }

  // A map is a list of pairs: the key is field 1, the value field 2, and a zero may be left out.
  Status add_map_entry(const Field& field, const WireField& wire, int depth,
                       std::vector<MapEntry>& entries) const {
    if (wire.wire != Wire::kBytes) return malformed();
    auto pair = small_message(wire.bytes);
    if (!pair) return malformed();
    WireField value = (*pair)[2];
    if (pair->at(2).number == 0) value.wire = Wire::kBytes;
    MINIK_ASSIGN(Value decoded, value_of(field, value, depth));
    entries.push_back({control::Key((*pair)[1].bytes), std::move(decoded)});
    return {};
  }
};

// "apps/v1" and "networking.k8s.io/v1" name their packages by the group's first word.
std::string package_of(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  if (slash == api_version.npos) return cat("core/", api_version);
  const std::string_view group = api_version.substr(0, slash);
  return cat(group.substr(0, group.find('.')), api_version.substr(slash));
}

}  // namespace

bool is_protobuf(std::string_view content_type) {
  return content_type.starts_with("application/vnd.kubernetes.protobuf");
}

Result<Value> decode_protobuf(std::string_view body) {
  if (!body.starts_with(kMagic)) return malformed();
  auto unknown = small_message(body.substr(kMagic.size()));
  if (!unknown) return malformed();
  auto type = small_message((*unknown)[1].bytes);
  if (!type) return malformed();
  const std::string_view api_version = (*type)[1].bytes, kind = (*type)[2].bytes;
  const Message* message = Decoder::find_message(cat(package_of(api_version), ".", kind));
  // DeleteOptions and their like belong to every group.
  if (message == nullptr) message = Decoder::find_message(cat("meta/v1.", kind));
  if (message == nullptr) {
    return Error(ErrorCode::kBadRequest,
                 cat("no kind ", quoted(kind), " is registered for version ", quoted(api_version),
                     " in protobuf; send it as JSON"));
  }
  std::vector<MapEntry> entries;
  MINIK_TRY(Decoder().decode(*message, (*unknown)[2].bytes, 0, entries));
  entries.push_back({"apiVersion", Value(api_version)});
  entries.push_back({"kind", Value(kind)});
  return Value::map(std::move(entries));
}

}  // namespace minik
