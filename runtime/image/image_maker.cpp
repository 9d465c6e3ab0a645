#include "runtime/image/image_maker.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "control/base/text.h"
#include "runtime/image/archive_writer.h"
#include "runtime/image/elf_libraries.h"

namespace minik::runtime {
namespace {

constexpr const char* kSourceAnnotation = "dev.minik.source";
// Raised when the layer that is made of equal sources changes.
constexpr int kRecipe = 1;

struct Item {
  LayerEntry::Type type = LayerEntry::Type::kFile;
  mode_t mode = 0644;
  std::string content;  // of a file without a source
  std::string source;   // path on this machine
};
using Items = std::map<std::string, Item>;  // by path in the image, so in order

void add_folder(Items& items, const std::string& path, mode_t mode) {
  items[path] = {LayerEntry::Type::kDirectory, mode, {}, {}};
}

void add_parents(Items& items, const std::string& path) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (!items.contains(parent)) add_folder(items, parent, 0755);
  }
}

Result<Items> items_of(const BuiltInImage& image, const std::set<std::string>& libraries) {
  Items items;
  for (const char* folder : {"dev", "etc", "proc", "sys", "var"}) add_folder(items, folder, 0755);
  add_folder(items, "root", 0700);
  add_folder(items, "tmp", 01777);
  add_folder(items, "var/tmp", 01777);
  items["etc/passwd"].content =
      "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
  items["etc/group"].content = "root:x:0:\nnogroup:x:65534:\n";
  items["etc/nsswitch.conf"].content = "passwd: files\ngroup: files\nhosts: files dns\n";
  const auto copy = [&](std::string_view to, const std::string& from) -> Status {
    while (to.starts_with('/')) to.remove_prefix(1);
    const std::string path(to);
    struct stat status {};
    if (::stat(from.c_str(), &status) != 0) return disk_error(errno, cat("look at ", from));
    if (!S_ISREG(status.st_mode)) {
      return Error(ErrorCode::kInvalid, cat(from, " is not a file; only files become an image"));
    }
    add_parents(items, path);
    const mode_t mode = (status.st_mode & 0111) != 0 ? 0755 : 0644;
    items[path] = {LayerEntry::Type::kFile, mode, {}, from};
    return {};
  };
  for (const std::string& library : libraries) MINIK_TRY(copy(library, library));
  for (const auto& [to, from] : image.files) MINIK_TRY(copy(to, from));
  MINIK_TRY(copy(image.path_in_image, image.executable));
  return items;
}

// Everything that the image is made of, without reading the files: equal text, equal image.
Result<std::string> source_stamp(const BuiltInImage& image, const Items& items) {
  std::vector<std::string> facts = {cat("recipe ", kRecipe), image.path_in_image};
  for (const auto* list : {&image.entrypoint, &image.command, &image.env, &image.exposed_ports}) {
    facts.push_back(cat("list ", list->size()));
    facts.insert(facts.end(), list->begin(), list->end());
  }
  for (const auto& [key, value] : image.labels) facts.push_back(cat("label ", key, "=", value));
  for (const auto& [path, item] : items) {
    if (item.source.empty()) continue;
    struct stat status {};
    if (::stat(item.source.c_str(), &status) != 0) {
      return disk_error(errno, cat("look at ", item.source));
    }
    facts.push_back(cat("file ", path, " ", status.st_dev, ":", status.st_ino, ":", status.st_size,
                        ":", status.st_mtim.tv_sec, ".", status.st_mtim.tv_nsec, ":",
                        status.st_ctim.tv_sec, ".", status.st_ctim.tv_nsec));
  }
  return Digest::of(join(facts, "\n")).text();
}

Result<BlobInfo> write_layer(const ContentStore& content, const Items& items) {
  MINIK_ASSIGN(BlobWriter blob, content.writer());
  MINIK_ASSIGN(ArchiveWriter archive,
               ArchiveWriter::open([&](std::string_view bytes) { return blob.write(bytes); }));
  for (const auto& [path, item] : items) {
    LayerEntry entry;
    entry.type = item.type;
    entry.path = item.type == LayerEntry::Type::kDirectory ? path + "/" : path;
    entry.mode = item.mode;
    if (item.source.empty()) {
      MINIK_TRY(archive.add(entry, item.content));
      continue;
    }
    MINIK_ASSIGN(const UniqueFd fd, open_file(item.source, O_RDONLY));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return disk_error(errno, cat("look at ", item.source));
    entry.size = status.st_size;
    MINIK_TRY(archive.add_from(entry, fd.get()));
  }
  MINIK_TRY(archive.finish());
  return blob.commit();
}

Descriptor descriptor_of(const BlobInfo& blob, std::string_view type) {
  Descriptor descriptor;
  descriptor.media_type = type;
  descriptor.digest = blob.digest;
  descriptor.size = blob.size;
  return descriptor;
}

}  // namespace

Result<ImageInfo> make_image(ImageStore& store, const BuiltInImage& image) {
  const auto make = [&]() -> Result<ImageInfo> {
    MINIK_ASSIGN(const auto libraries, elf_libraries(image.executable));
    MINIK_ASSIGN(const Items items, items_of(image, libraries));
    MINIK_ASSIGN(const std::string stamp, source_stamp(image, items));
    const auto known = store.annotations(image.name);
    if (known && known->contains(kSourceAnnotation) && known->at(kSourceAnnotation) == stamp) {
      return store.find(image.name);
    }
    MINIK_ASSIGN(const ContentLease lease, store.content().lease());
    MINIK_ASSIGN(const BlobInfo layer, write_layer(store.content(), items));
    ImageConfig config;
    config.platform = host_platform();
    config.created = "1970-01-01T00:00:00Z";
    config.entrypoint = image.entrypoint;
    config.command = image.command;
    config.env = image.env;
    config.exposed_ports = image.exposed_ports;
    config.labels = image.labels;
    config.diff_ids = {layer.digest};
    MINIK_ASSIGN(const BlobInfo config_blob, store.content().put(write_image_config(config)));
    Manifest manifest;
    manifest.config = descriptor_of(config_blob, media_type::kConfig);
    manifest.layers = {descriptor_of(layer, media_type::kLayer)};
    MINIK_ASSIGN(const BlobInfo manifest_blob, store.content().put(write_manifest(manifest)));
    return store.adopt(descriptor_of(manifest_blob, media_type::kManifest), {image.name},
                       ImageStore::Unpack::kNow, lease, {{kSourceAnnotation, stamp}});
  };
  auto made = make();
  if (!made) return std::move(made).error().in(cat("make image ", image.name));
  return made;
}

}  // namespace minik::runtime
