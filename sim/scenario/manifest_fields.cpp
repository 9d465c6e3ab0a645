#include "sim/scenario/manifest_fields.h"

#include "control/base/text.h"
#include "control/base/typo.h"
#include "control/schema/decode.h"

namespace minik::sim {

namespace {

// The fields of what stands at this path, but for its last part; none where it is no object of a known type.
std::vector<std::string_view> fields_beside(const control::TypeInfo* type, std::string_view path) {
  for (size_t dot = path.find('.'); dot != std::string_view::npos && type; dot = path.find('.')) {
    const std::string_view name = path.substr(0, std::min(dot, path.find('[')));
    const control::FieldInfo* field = type->field(control::Key(name));
    type = field ? field->type : nullptr;
    path.remove_prefix(dot + 1);
  }
  std::vector<std::string_view> names;
  if (!type) return names;
  for (const auto& field : type->fields) names.push_back(field.name);
  return names;
}

}  // namespace

std::optional<FieldComplaint> complaint_about(const control::ResourceInfo& resource, const control::Value& manifest) {
  if (!resource.type) return std::nullopt;
  const auto decoded = control::decode(*resource.type, manifest);
  if (!decoded) return FieldComplaint{"", decoded.error().message};
  if (decoded->unknown_fields.empty()) return std::nullopt;
  // `unknown field "spec.foo"`
  const std::string& sentence = decoded->unknown_fields.front();
  const size_t begin = sentence.find('"') + 1;
  std::string path = sentence.substr(begin, sentence.rfind('"') - begin);
  const std::string word = path.substr(path.rfind('.') + 1);
  std::string what = cat(sentence, perhaps(word, fields_beside(resource.type, path)));
  return FieldComplaint{std::move(path), std::move(what)};
}

}  // namespace minik::sim
