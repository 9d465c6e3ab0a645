#include "runtime/image/manifest.h"

#include <boost/json.hpp>

#include <algorithm>
#include <tuple>

#include "control/base/text.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

namespace json = boost::json;

Error wrong(std::string_view member, std::string_view expected) {
  return Error(ErrorCode::kInvalid, cat(member, " is not ", expected));
}

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

Result<json::value> parse(std::string_view text) {
  if (text.size() > kDocumentBytesMax) {
    return Error(ErrorCode::kRequestEntityTooLarge,
                 cat("the document is larger than ", kDocumentBytesMax, " bytes"));
  }
  json::error_code failure;
  json::value value = json::parse({text.data(), text.size()}, failure);
  if (failure) return Error(ErrorCode::kInvalid, cat("not JSON: ", failure.message()));
  return value;
}

Result<json::object> parse_object(std::string_view text) {
  MINIK_ASSIGN(json::value value, parse(text));
  if (!value.is_object()) return wrong("the document", "an object");
  return std::move(value.get_object());
}

// Null and missing are the same, as Go writes nil slices and pointers.
const json::value* member(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains({name.data(), name.size()});
  return found == nullptr || found->is_null() ? nullptr : found;
}

Status read_text(const json::object& object, std::string_view name, std::string& out) {
  const json::value* value = member(object, name);
  if (value == nullptr) return {};
  if (!value->is_string()) return wrong(name, "a string");
  out = view(value->get_string());
  return {};
}

Status read_texts(const json::object& object, std::string_view name,
                  std::vector<std::string>& out) {
  const json::value* value = member(object, name);
  if (value == nullptr) return {};
  if (!value->is_array()) return wrong(name, "an array of strings");
  for (const json::value& item : value->get_array()) {
    if (!item.is_string()) return wrong(name, "an array of strings");
    out.emplace_back(view(item.get_string()));
  }
  return {};
}

Status read_map(const json::object& object, std::string_view name,
                std::map<std::string, std::string>& out) {
  const json::value* value = member(object, name);
  if (value == nullptr) return {};
  if (!value->is_object()) return wrong(name, "an object of strings");
  for (const auto& [key, item] : value->get_object()) {
    if (!item.is_string()) return wrong(name, "an object of strings");
    out.emplace(std::string(key.data(), key.size()), view(item.get_string()));
  }
  return {};
}

// Go's map[string]struct{}: the keys are the value.
Status read_keys(const json::object& object, std::string_view name, std::vector<std::string>& out) {
  const json::value* value = member(object, name);
  if (value == nullptr) return {};
  if (!value->is_object()) return wrong(name, "an object");
  for (const auto& entry : value->get_object()) {
    out.emplace_back(entry.key().data(), entry.key().size());
  }
  std::sort(out.begin(), out.end());
  return {};
}

Status read_platform(const json::object& object, Platform& out) {
  MINIK_TRY(read_text(object, "os", out.os));
  MINIK_TRY(read_text(object, "architecture", out.architecture));
  return read_text(object, "variant", out.variant);
}

Result<Descriptor> read_descriptor(const json::value& value, std::string_view what) {
  if (!value.is_object()) return wrong(what, "a descriptor object");
  const json::object& object = value.get_object();
  const auto read = [&]() -> Result<Descriptor> {
    Descriptor descriptor;
    MINIK_TRY(read_text(object, "mediaType", descriptor.media_type));
    std::string digest;
    MINIK_TRY(read_text(object, "digest", digest));
    MINIK_ASSIGN(descriptor.digest, Digest::parse(digest));
    const json::value* size = member(object, "size");
    if (size == nullptr || !size->is_int64() || size->get_int64() < 0) {
      return wrong("size", "a number of bytes");
    }
    descriptor.size = size->get_int64();
    MINIK_TRY(read_map(object, "annotations", descriptor.annotations));
    if (const json::value* platform = member(object, "platform")) {
      if (!platform->is_object()) return wrong("platform", "an object");
      MINIK_TRY(read_platform(platform->get_object(), descriptor.platform));
    }
    return descriptor;
  };
  auto descriptor = read();
  if (!descriptor) return std::move(descriptor).error().in(what);
  return descriptor;
}

Result<std::vector<Descriptor>> read_descriptors(const json::object& object,
                                                 std::string_view name) {
  std::vector<Descriptor> descriptors;
  const json::value* value = member(object, name);
  if (value == nullptr) return descriptors;
  if (!value->is_array()) return wrong(name, "an array");
  for (const json::value& item : value->get_array()) {
    MINIK_ASSIGN(Descriptor descriptor,
                 read_descriptor(item, cat(name, "[", descriptors.size(), "]")));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

Status check_version(const json::object& object) {
  const json::value* version = member(object, "schemaVersion");
  if (version != nullptr && version->is_int64() && version->get_int64() == 1) {
    return Error(ErrorCode::kInvalid,
                 "a Docker schema 1 manifest, retired in 2019; push the image again with a current "
                 "Docker, podman or skopeo");
  }
  if (version == nullptr || !version->is_int64() || version->get_int64() != 2) {
    return wrong("schemaVersion", "2");
  }
  return {};
}

json::string text(std::string_view value) {
  return json::string(value.data(), value.size());
}

void put_text(json::object& object, std::string_view name, std::string_view value) {
  if (!value.empty()) object[json::string_view(name.data(), name.size())] = text(value);
}

json::array array_of(const std::vector<std::string>& values) {
  json::array array;
  for (const std::string& value : values) array.push_back(text(value));
  return array;
}

json::object map_of(const std::map<std::string, std::string>& values) {
  json::object object;
  for (const auto& [key, value] : values) object[key] = text(value);
  return object;
}

json::object keys_of(const std::vector<std::string>& keys) {
  json::object object;
  for (const std::string& key : keys) object[key] = json::object();
  return object;
}

json::object descriptor_json(const Descriptor& descriptor) {
  json::object object;
  put_text(object, "mediaType", descriptor.media_type);
  object["digest"] = text(descriptor.digest.text());
  object["size"] = descriptor.size;
  if (!descriptor.annotations.empty()) object["annotations"] = map_of(descriptor.annotations);
  if (!descriptor.platform.os.empty()) {
    json::object platform;
    put_text(platform, "architecture", descriptor.platform.architecture);
    put_text(platform, "os", descriptor.platform.os);
    put_text(platform, "variant", descriptor.platform.variant);
    object["platform"] = std::move(platform);
  }
  return object;
}

std::string print(const json::value& value) {
  return json::serialize(value);
}

// The halves of a configuration: `config` is what a container runs with.
Status read_run_config(const json::object& object, ImageConfig& config) {
  MINIK_TRY(read_text(object, "User", config.user));
  MINIK_TRY(read_text(object, "WorkingDir", config.working_dir));
  MINIK_TRY(read_text(object, "StopSignal", config.stop_signal));
  MINIK_TRY(read_texts(object, "Entrypoint", config.entrypoint));
  MINIK_TRY(read_texts(object, "Cmd", config.command));
  MINIK_TRY(read_texts(object, "Env", config.env));
  MINIK_TRY(read_keys(object, "ExposedPorts", config.exposed_ports));
  MINIK_TRY(read_keys(object, "Volumes", config.volumes));
  return read_map(object, "Labels", config.labels);
}

Status read_rootfs(const json::object& object, ImageConfig& config) {
  const json::value* rootfs = member(object, "rootfs");
  if (rootfs == nullptr || !rootfs->is_object()) return wrong("rootfs", "an object");
  std::vector<std::string> diff_ids;
  MINIK_TRY(read_texts(rootfs->get_object(), "diff_ids", diff_ids));
  if (diff_ids.size() > kLayersMax) {
    return Error(ErrorCode::kInvalid,
                 cat(diff_ids.size(), " layers; at most ", kLayersMax, " can be stacked"));
  }
  for (const std::string& id : diff_ids) {
    MINIK_ASSIGN(Digest digest, Digest::parse(id));
    config.diff_ids.push_back(std::move(digest));
  }
  return {};
}

}  // namespace

Platform host_platform() {
#if defined(__x86_64__)
  return {"linux", "amd64", ""};
#elif defined(__aarch64__)
  return {"linux", "arm64", "v8"};
#else
#error "name this machine's architecture as Go does"
#endif
}

bool ImageConfig::operator==(const ImageConfig& other) const {
  return write_image_config(*this) == write_image_config(other);
}

Result<bool> is_index(std::string_view document) {
  MINIK_ASSIGN(const json::object object, parse_object(document));
  std::string type;
  MINIK_TRY(read_text(object, "mediaType", type));
  if (type == media_type::kIndex || type == media_type::kDockerIndex) return true;
  if (type == media_type::kManifest || type == media_type::kDockerManifest) return false;
  MINIK_TRY(check_version(object));
  const bool lists = member(object, "manifests") != nullptr;
  if (!lists && member(object, "config") == nullptr) {
    return Error(ErrorCode::kInvalid, "neither an image manifest nor an index of manifests");
  }
  return lists;
}

Result<std::string> document_media_type(std::string_view document) {
  MINIK_ASSIGN(const bool indexed, is_index(document));
  MINIK_ASSIGN(const json::object object, parse_object(document));
  std::string type;
  MINIK_TRY(read_text(object, "mediaType", type));
  return type.empty() ? std::string(indexed ? media_type::kIndex : media_type::kManifest) : type;
}

Result<Index> parse_index(std::string_view document) {
  MINIK_ASSIGN(const json::object object, parse_object(document));
  MINIK_TRY(check_version(object));
  Index index;
  MINIK_ASSIGN(index.manifests, read_descriptors(object, "manifests"));
  return index;
}

Result<Manifest> parse_manifest(std::string_view document) {
  MINIK_ASSIGN(const json::object object, parse_object(document));
  MINIK_TRY(check_version(object));
  Manifest manifest;
  MINIK_TRY(read_text(object, "mediaType", manifest.media_type));
  const json::value* config = member(object, "config");
  if (config == nullptr) return wrong("config", "there");
  MINIK_ASSIGN(manifest.config, read_descriptor(*config, "config"));
  MINIK_ASSIGN(manifest.layers, read_descriptors(object, "layers"));
  if (manifest.layers.size() > kLayersMax) {
    return Error(ErrorCode::kInvalid,
                 cat(manifest.layers.size(), " layers; at most ", kLayersMax, " can be stacked"));
  }
  return manifest;
}

Result<ImageConfig> parse_image_config(std::string_view document) {
  MINIK_ASSIGN(const json::object object, parse_object(document));
  ImageConfig config;
  MINIK_TRY(read_platform(object, config.platform));
  MINIK_TRY(read_text(object, "created", config.created));
  if (const json::value* run = member(object, "config")) {
    if (!run->is_object()) return wrong("config", "an object");
    MINIK_TRY(read_run_config(run->get_object(), config));
  }
  MINIK_TRY(read_rootfs(object, config));
  return config;
}

std::string write_index(const Index& index) {
  json::array manifests;
  for (const Descriptor& descriptor : index.manifests) {
    manifests.push_back(descriptor_json(descriptor));
  }
  return print(json::object{{"schemaVersion", 2},
                            {"mediaType", text(media_type::kIndex)},
                            {"manifests", std::move(manifests)}});
}

std::string write_manifest(const Manifest& manifest) {
  json::array layers;
  for (const Descriptor& layer : manifest.layers) layers.push_back(descriptor_json(layer));
  return print(json::object{{"schemaVersion", 2},
                            {"mediaType", text(media_type::kManifest)},
                            {"config", descriptor_json(manifest.config)},
                            {"layers", std::move(layers)}});
}

std::string write_image_config(const ImageConfig& config) {
  json::object run;
  put_text(run, "User", config.user);
  if (!config.exposed_ports.empty()) run["ExposedPorts"] = keys_of(config.exposed_ports);
  if (!config.env.empty()) run["Env"] = array_of(config.env);
  if (!config.entrypoint.empty()) run["Entrypoint"] = array_of(config.entrypoint);
  if (!config.command.empty()) run["Cmd"] = array_of(config.command);
  if (!config.volumes.empty()) run["Volumes"] = keys_of(config.volumes);
  put_text(run, "WorkingDir", config.working_dir);
  if (!config.labels.empty()) run["Labels"] = map_of(config.labels);
  put_text(run, "StopSignal", config.stop_signal);

  json::array diff_ids;
  for (const Digest& id : config.diff_ids) diff_ids.push_back(text(id.text()));
  json::object object;
  put_text(object, "created", config.created);
  put_text(object, "architecture", config.platform.architecture);
  put_text(object, "variant", config.platform.variant);
  put_text(object, "os", config.platform.os);
  object["config"] = std::move(run);
  object["rootfs"] = json::object{{"type", "layers"}, {"diff_ids", std::move(diff_ids)}};
  return print(object);
}

Result<std::vector<ArchiveImage>> parse_archive_manifest(std::string_view document) {
  MINIK_ASSIGN(const json::value value, parse(document));
  if (!value.is_array()) return wrong("the document", "an array");
  std::vector<ArchiveImage> images;
  for (const json::value& item : value.get_array()) {
    if (!item.is_object()) return wrong("the document", "an array of objects");
    ArchiveImage image;
    MINIK_TRY(read_text(item.get_object(), "Config", image.config));
    MINIK_TRY(read_texts(item.get_object(), "RepoTags", image.repo_tags));
    MINIK_TRY(read_texts(item.get_object(), "Layers", image.layers));
    images.push_back(std::move(image));
  }
  return images;
}

std::string write_archive_manifest(const std::vector<ArchiveImage>& images) {
  json::array array;
  for (const ArchiveImage& image : images) {
    array.push_back(json::object{{"Config", text(image.config)},
                                 {"RepoTags", array_of(image.repo_tags)},
                                 {"Layers", array_of(image.layers)}});
  }
  return print(array);
}

std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids) {
  std::vector<Digest> chain;
  for (const Digest& diff : diff_ids) {
    chain.push_back(chain.empty() ? diff : Digest::of(cat(chain.back().text(), " ", diff.text())));
  }
  return chain;
}

const Descriptor* choose_platform(const Index& index, const Platform& platform) {
  for (const Descriptor& entry : index.manifests) {
    if (entry.platform.os != platform.os || entry.platform.architecture != platform.architecture) {
      continue;
    }
    const std::string& variant = entry.platform.variant;
    if (variant.empty() || platform.variant.empty() || variant == platform.variant) return &entry;
  }
  const bool lone = index.manifests.size() == 1 && index.manifests.front().platform.os.empty();
  return lone ? &index.manifests.front() : nullptr;
}

std::string platforms_text(const Index& index) {
  std::vector<std::string> names;
  for (const Descriptor& entry : index.manifests) {
    const Platform& platform = entry.platform;
    if (platform.os.empty() || platform.os == "unknown") continue;
    names.push_back(cat(platform.os, "/", platform.architecture,
                        platform.variant.empty() ? "" : "/", platform.variant));
  }
  return names.empty() ? "none that it names" : join(names, ", ");
}

}  // namespace minik::runtime
