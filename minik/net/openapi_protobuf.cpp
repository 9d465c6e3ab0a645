#include "minik/net/openapi_protobuf.h"

#include "control/object/json.h"

namespace minik {

namespace {

using control::Key;
using control::Value;

// Protobuf's wire format, as far as it is needed: varints, and fields of length and bytes.
class Message {
 public:
  Message& text(int field, const Value& value) {
    if (value.is_string() && !value.as_string().empty()) bytes(field, value.as_string());
    return *this;
  }
  Message& texts(int field, const Value& list) {
    for (const Value& item : list.items()) bytes(field, item.as_string());
    return *this;
  }
  Message& flag(int field, const Value& value) {
    if (!value.as_bool()) return *this;
    varint(static_cast<uint64_t>(field) << 3);
    varint(1);
    return *this;
  }
  // An empty message is still there.
  Message& message(int field, const Message& inner) {
    bytes(field, inner.out_);
    return *this;
  }
  Message& bytes(int field, std::string_view content) {
    constexpr uint64_t kLengthDelimited = 2;
    varint(static_cast<uint64_t>(field) << 3 | kLengthDelimited);
    varint(content.size());
    out_ += content;
    return *this;
  }
  std::string take() && { return std::move(out_); }

 private:
  void varint(uint64_t number) {
    while (number >= 0x80) {
      out_ += static_cast<char>((number & 0x7f) | 0x80);
      number >>= 7;
    }
    out_ += static_cast<char>(number);
  }
  std::string out_;
};

Message any_of(const Value& value) {
  return std::move(Message().bytes(2, control::to_json(value)));  // JSON is YAML
}

void add_extensions(Message& out, int field, const Value& object) {
  for (const auto& [key, value] : object.entries()) {
    if (key.text().starts_with("x-")) out.message(field, Message().bytes(1, key.text()).message(2, any_of(value)));
  }
}

Message schema_of(const Value& schema);

Message named_schemas(const Value& schemas) {
  Message out;
  for (const auto& [name, schema] : schemas.entries()) {
    out.message(1, Message().bytes(1, name.text()).message(2, schema_of(schema)));
  }
  return out;
}

Message schema_of(const Value& schema) {
  Message out;
  out.text(1, schema["$ref"]).text(2, schema["format"]).text(3, schema["title"]).text(4, schema["description"]);
  if (schema["default"].has_value()) out.message(5, any_of(schema["default"]));
  out.text(13, schema["pattern"]).texts(19, schema["required"]);
  for (const Value& choice : schema["enum"].items()) out.message(20, any_of(choice));
  const Value& additional = schema["additionalProperties"];
  if (additional.is_map()) out.message(21, Message().message(1, schema_of(additional)));
  if (schema["type"].is_string()) out.message(22, Message().text(1, schema["type"]));
  if (schema["items"].is_map()) out.message(23, Message().message(1, schema_of(schema["items"])));
  for (const Value& part : schema["allOf"].items()) out.message(24, schema_of(part));
  if (schema["properties"].is_map()) out.message(25, named_schemas(schema["properties"]));
  add_extensions(out, 31, schema);
  return out;
}

void add_parameters(Message& out, int field, const Value& parameters) {
  for (const Value& parameter : parameters.items()) {
    const auto place = parameter["in"].as_string();
    Message inner;
    if (place == "body") {
      inner.text(1, parameter["description"]).text(2, parameter["name"]).text(3, parameter["in"]);
      inner.flag(4, parameter["required"]).message(5, schema_of(parameter["schema"]));
      out.message(field, Message().message(1, Message().message(1, inner)));
      continue;
    }
    const bool query = place == "query";
    inner.flag(1, parameter["required"]).text(2, parameter["in"]).text(3, parameter["description"]);
    inner.text(4, parameter["name"]).text(query ? 6 : 5, parameter["type"]);
    const Message shaped = std::move(Message().message(query ? 3 : 4, inner));
    out.message(field, Message().message(1, Message().message(2, shaped)));
  }
}

Message operation_of(const Value& operation) {
  Message out;
  out.texts(1, operation["tags"]).text(3, operation["description"]).text(5, operation["operationId"]);
  out.texts(6, operation["produces"]).texts(7, operation["consumes"]);
  add_parameters(out, 8, operation["parameters"]);
  Message responses;
  for (const auto& [code, response] : operation["responses"].entries()) {
    Message body;
    body.text(1, response["description"]);
    if (response["schema"].is_map()) body.message(2, Message().message(1, schema_of(response["schema"])));
    responses.message(1, Message().bytes(1, code.text()).message(2, Message().message(1, body)));
  }
  out.message(9, responses);
  add_extensions(out, 13, operation);
  return out;
}

Message path_item_of(const Value& item) {
  constexpr std::pair<const char*, int> kMethods[] = {{"get", 2},     {"put", 3},  {"post", 4}, {"delete", 5},
                                                      {"options", 6}, {"head", 7}, {"patch", 8}};
  Message out;
  for (const auto& [method, field] : kMethods) {
    if (item[method].is_map()) out.message(field, operation_of(item[method]));
  }
  add_parameters(out, 9, item["parameters"]);
  add_extensions(out, 10, item);
  return out;
}

}  // namespace

std::string openapi_v2_protobuf(const Value& document) {
  Message paths;
  for (const auto& [path, item] : document["paths"].entries()) {
    paths.message(2, Message().bytes(1, path.text()).message(2, path_item_of(item)));
  }
  Message out;
  out.text(1, document["swagger"]);
  out.message(2, Message().text(1, document["info"]["title"]).text(2, document["info"]["version"]));
  out.message(8, paths).message(9, named_schemas(document["definitions"]));
  return std::move(out).take();
}

}  // namespace minik
