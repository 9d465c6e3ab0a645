#include "runtime/image/image_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "control/base/log.h"
#include "control/base/text.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

constexpr const char* kNameAnnotation = "org.opencontainers.image.ref.name";
constexpr size_t kShortIdDigits = 4;

std::string name_of(const Descriptor& entry) {
  const auto found = entry.annotations.find(kNameAnnotation);
  return found == entry.annotations.end() ? "" : found->second;
}

bool is_digest_name(std::string_view name) {
  return name.find('@') != std::string_view::npos;
}

std::string repository_of(std::string_view name) {
  const auto reference = parse_reference(name);
  return reference ? reference->name() : std::string(name);
}

bool is_hex_text(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What a stat of index.json tells about its version; rename gives a new inode every time.
struct IndexStamp {
  ino_t inode = 0;
  int64_t size = -1;
  int64_t seconds = 0, nanoseconds = 0;
  bool operator==(const IndexStamp&) const = default;
};

IndexStamp stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

std::vector<std::string> text_of(const std::set<Digest>& digests) {
  std::vector<std::string> texts;
  for (const Digest& digest : digests) texts.push_back(digest.text());
  return texts;
}

}  // namespace

// index.json and what its entries resolve to, as of one version of the file.
struct ImageStore::Catalog {
  struct Entry {
    std::string name;  // empty: lost its tag
    Descriptor target;
    Digest id;           // empty when damaged
    std::string damage;  // why it does not resolve
  };
  IndexStamp stamp;
  std::vector<Entry> entries;
  std::map<Digest, ImageInfo> images;  // by id

  // By the rules of find(); several entries may carry one name only by damage.
  const Entry* by_name(const std::string& name) const {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const Entry& entry) { return entry.name == name; });
    return found == entries.end() ? nullptr : &*found;
  }

  // What a removal takes: of an id all its entries; of a name that one, and with its repository's
  // last tag the digests that were pulled beside it.
  std::set<const Entry*> going(const Entry* named, const Digest& id) const {
    std::set<const Entry*> gone, digests;
    bool last_tag = true;
    const std::string repository = named == nullptr ? "" : repository_of(named->name);
    for (const Entry& entry : entries) {
      if (named == nullptr ? entry.id == id : &entry == named) gone.insert(&entry);
      if (named == nullptr || id.empty() || &entry == named || entry.id != id) continue;
      if (entry.name.empty() || repository_of(entry.name) != repository) continue;
      const bool digest = is_digest_name(entry.name);
      if (digest) digests.insert(&entry);
      if (!digest) last_tag = false;
    }
    if (last_tag) gone.merge(digests);
    return gone;
  }
};

ImageStore::ImageStore(ContentStore content, LayerStore layers)
    : content_(std::move(content)), layers_(std::move(layers)) {}
ImageStore::~ImageStore() = default;

Result<std::unique_ptr<ImageStore>> ImageStore::open(const std::string& root) {
  MINIK_ASSIGN(ContentStore content, ContentStore::open(root));
  MINIK_ASSIGN(LayerStore layers, LayerStore::open(content));
  std::unique_ptr<ImageStore> store(new ImageStore(std::move(content), std::move(layers)));
  MINIK_TRY(store->catalog());
  return store;
}

Result<Index> ImageStore::read_index() const {
  const std::string path = cat(content_.root(), "/index.json");
  auto text = read_file(path, kDocumentBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) return Index{};
  if (!text) return std::move(text).error();
  auto index = parse_index(*text);
  if (!index) {
    return std::move(index).error().in(
        cat(path, " is damaged, move it away and load the images again"));
  }
  return index;
}

Status ImageStore::write_index_file(const Index& index) const {
  // Nobody may sweep the temporary file away.
  MINIK_ASSIGN(const ContentLease lease, content_.lease());
  const std::lock_guard lock(mutex_);
  catalog_.reset();
  return write_file_durably(cat(content_.root(), "/index.json"),
                            content_.ingest_path(random_name()), write_index(index));
}

Result<Descriptor> ImageStore::manifest_for_host(const Descriptor& target, int depth) const {
  MINIK_ASSIGN(const std::string document, content_.read(target.digest, kDocumentBytesMax));
  MINIK_ASSIGN(const bool indexed, is_index(document));
  if (!indexed) return target;
  if (depth >= kIndexDepthMax) return Error(ErrorCode::kInvalid, "indexes nest too deep");
  MINIK_ASSIGN(const Index index, parse_index(document));
  const Platform host = host_platform();
  const Descriptor* chosen = choose_platform(index, host);
  if (chosen == nullptr) {
    return Error(ErrorCode::kInvalid, cat("the image is not built for ", host.os, "/",
                                          host.architecture, " but for ", platforms_text(index)));
  }
  return manifest_for_host(*chosen, depth + 1);
}

Result<ImageInfo> ImageStore::resolve(const Descriptor& target) const {
  ImageInfo image;
  image.target = target.digest;
  MINIK_ASSIGN(const Descriptor chosen, manifest_for_host(target, 0));
  image.manifest = chosen.digest;
  MINIK_ASSIGN(const std::string document, content_.read(chosen.digest, kDocumentBytesMax));
  MINIK_ASSIGN(Manifest manifest, parse_manifest(document));
  image.id = manifest.config.digest;
  MINIK_ASSIGN(const std::string config, content_.read(image.id, kDocumentBytesMax));
  auto parsed = parse_image_config(config);
  if (!parsed) return std::move(parsed).error().in(cat("configuration ", image.id.text()));
  image.config = *std::move(parsed);
  if (image.config.diff_ids.size() != manifest.layers.size()) {
    return Error(
        ErrorCode::kInvalid,
        cat("its manifest names ", manifest.layers.size(), " layers and its configuration ",
            image.config.diff_ids.size(), " diff ids; the image is damaged"));
  }
  image.size_bytes = static_cast<int64_t>(document.size() + config.size());
  for (const Descriptor& layer : manifest.layers) {
    const auto size = content_.size(layer.digest);
    if (!size) {
      return Error(ErrorCode::kNotFound, cat("layer ", layer.digest.text(), " is missing"));
    }
    if (*size != layer.size) {
      return Error(ErrorCode::kInvalid, cat("layer ", layer.digest.text(), " has ", *size,
                                            " bytes, but the manifest says ", layer.size));
    }
    image.size_bytes += *size;
  }
  image.layers = std::move(manifest.layers);
  image.chain_ids = chain_ids(image.config.diff_ids);
  return image;
}

Result<std::shared_ptr<const ImageStore::Catalog>> ImageStore::catalog() const {
  const std::lock_guard lock(mutex_);
  const IndexStamp stamp = stamp_of(cat(content_.root(), "/index.json"));
  if (catalog_ && catalog_->stamp == stamp) return catalog_;
  MINIK_ASSIGN(const Index index, read_index());
  auto made = std::make_shared<Catalog>();
  // A change between the stat and the read shows a newer list under an older stamp: read again
  // later.
  made->stamp = stamp;
  for (const Descriptor& target : index.manifests) {
    Catalog::Entry entry{name_of(target), target, {}, {}};
    if (auto image = resolve(target); image) {
      entry.id = image->id;
      ImageInfo& info = made->images.try_emplace(image->id, *std::move(image)).first->second;
      auto& names = is_digest_name(entry.name) ? info.repo_digests : info.names;
      if (!entry.name.empty()) names.push_back(entry.name);
    } else {
      entry.damage = image.error().message;
      MINIK_LOG(kWarning, "image", cat("image ", entry.name, " cannot be used: ", entry.damage));
    }
    made->entries.push_back(std::move(entry));
  }
  for (auto& [id, image] : made->images) {
    std::sort(image.names.begin(), image.names.end());
    std::sort(image.repo_digests.begin(), image.repo_digests.end());
  }
  catalog_ = std::move(made);
  return catalog_;
}

Result<ImageInfo> ImageStore::find(std::string_view reference) const {
  MINIK_ASSIGN(const auto now, catalog());
  const auto parsed = parse_reference(reference);
  if (parsed) {
    Reference wanted = *parsed;
    // name:tag@digest means the digest; the tag is for people.
    if (!wanted.digest.empty()) wanted.tag.clear();
    const std::string name = wanted.text();
    const Catalog::Entry* entry = now->by_name(name);
    if (entry == nullptr && !wanted.digest.empty()) {
      // Not pulled under that digest, but here under another name of the same repository.
      for (const auto& candidate : now->entries) {
        if (candidate.target.digest.text() == wanted.digest &&
            repository_of(candidate.name) == wanted.name()) {
          entry = &candidate;
        }
      }
    }
    if (entry != nullptr && !entry->damage.empty()) {
      return Error(ErrorCode::kInternalError,
                   cat("image ", parsed->familiar(), " cannot be used: ", entry->damage,
                       "; remove it and load or pull it again"));
    }
    if (entry != nullptr) return now->images.at(entry->id);
  }
  std::string_view hex = reference;
  if (hex.starts_with("sha256:")) hex.remove_prefix(7);
  if (hex.size() >= kShortIdDigits && hex.size() <= 64 && is_hex_text(hex)) {
    std::set<Digest> matches;
    for (const auto& [id, image] : now->images) {
      if (id.hex().starts_with(hex)) matches.insert(id);
    }
    if (matches.size() == 1) return now->images.at(*matches.begin());
    if (matches.size() > 1) {
      return Error(ErrorCode::kConflict, cat("id ", hex, " is the beginning of ",
                                             join(text_of(matches), ", "), "; give more digits"));
    }
  }
  if (!parsed && !is_hex_text(hex)) return parsed.error();
  return Error(ErrorCode::kNotFound, cat("image ", reference,
                                         " is not here; minik image ls shows "
                                         "what is"));
}

Result<std::vector<ImageInfo>> ImageStore::list() const {
  MINIK_ASSIGN(const auto now, catalog());
  std::vector<ImageInfo> images;
  for (const auto& [id, image] : now->images) images.push_back(image);
  const auto rank = [](const ImageInfo& image) {
    const auto& names = image.names.empty() ? image.repo_digests : image.names;
    return std::make_tuple(names.empty(), names.empty() ? std::string() : names.front(), image.id);
  };
  std::sort(images.begin(), images.end(),
            [&](const ImageInfo& a, const ImageInfo& b) { return rank(a) < rank(b); });
  return images;
}

namespace {

// Points the name at the target. An image that loses its last name stays, without one, until
// pruned.
void point(Index& index, const std::string& name, const Descriptor& target) {
  std::vector<Descriptor> kept;
  std::optional<Descriptor> lost;
  for (Descriptor& entry : index.manifests) {
    const std::string had = name_of(entry);
    if (had == name && entry.digest != target.digest && !name.empty()) lost = entry;
    const bool superseded = had == name && (!name.empty() || entry.digest == target.digest);
    const bool now_named = had.empty() && entry.digest == target.digest;
    if (!superseded && !now_named) kept.push_back(std::move(entry));
  }
  const auto named = [&](const Digest& digest) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](const Descriptor& entry) { return entry.digest == digest; });
  };
  if (lost && !named(lost->digest)) {
    lost->annotations.clear();
    kept.push_back(*std::move(lost));
  }
  if (!name.empty() || !named(target.digest)) {
    Descriptor entry = target;
    if (!name.empty()) entry.annotations[kNameAnnotation] = name;
    kept.push_back(std::move(entry));
  }
  index.manifests = std::move(kept);
}

}  // namespace

Result<ImageInfo> ImageStore::verify(const Descriptor& target, Unpack unpack, const ContentLease&) {
  MINIK_ASSIGN(ImageInfo image, resolve(target));
  if (unpack == Unpack::kNow) MINIK_TRY(unpack_layers(image));
  return image;
}

Result<ImageInfo> ImageStore::adopt(const Descriptor& target, const std::vector<std::string>& names,
                                    Unpack unpack, const ContentLease& lease,
                                    const std::map<std::string, std::string>& annotations) {
  std::vector<std::string> completed;
  for (const std::string& name : names) {
    MINIK_ASSIGN(const Reference reference, parse_reference(name));
    completed.push_back(reference.text());
  }
  MINIK_ASSIGN(const ImageInfo image, verify(target, unpack, lease));
  {
    MINIK_ASSIGN(const FileLock lock, FileLock::exclusive(cat(content_.root(), "/index.lock")));
    MINIK_ASSIGN(Index index, read_index());
    Descriptor entry = target;
    entry.annotations = annotations;
    entry.platform = {};
    if (completed.empty()) point(index, "", entry);
    for (const std::string& name : completed) point(index, name, entry);
    MINIK_TRY(write_index_file(index));
  }
  return find(image.id.text());
}

std::optional<std::map<std::string, std::string>> ImageStore::annotations(
    const std::string& name) const {
  const auto now = catalog();
  const auto reference = parse_reference(name);
  if (!now || !reference) return std::nullopt;
  const Catalog::Entry* entry = (*now)->by_name(reference->text());
  if (entry == nullptr || !entry->damage.empty()) return std::nullopt;
  return entry->target.annotations;
}

Result<ImageInfo> ImageStore::tag(std::string_view existing, std::string_view name) {
  MINIK_ASSIGN(const Reference reference, parse_reference(name));
  if (!reference.digest.empty()) {
    return Error(ErrorCode::kInvalid, cat(quoted(name), " has a digest; give a name and a tag"));
  }
  MINIK_ASSIGN(const ContentLease lease, content_.lease());
  MINIK_ASSIGN(const ImageInfo image, find(existing));
  Descriptor target;
  MINIK_ASSIGN(const std::string document, content_.read(image.target, kDocumentBytesMax));
  MINIK_ASSIGN(target.media_type, document_media_type(document));
  target.digest = image.target;
  target.size = static_cast<int64_t>(document.size());
  return adopt(target, {reference.text()}, Unpack::kLater, lease);
}

Result<RemovedImage> ImageStore::remove(std::string_view reference, const ImagesInUse& in_use) {
  RemovedImage removed;
  {
    MINIK_ASSIGN(const FileLock lock, FileLock::exclusive(cat(content_.root(), "/index.lock")));
    MINIK_ASSIGN(const auto now, catalog());
    const auto parsed = parse_reference(reference);
    const Catalog::Entry* named = parsed ? now->by_name(parsed->text()) : nullptr;
    Digest id = named == nullptr ? Digest() : named->id;
    if (named == nullptr) {
      MINIK_ASSIGN(const ImageInfo image, find(reference));
      id = image.id;
    }
    removed.id = id;
    const auto going = now->going(named, id);
    const auto stays = [&](const Catalog::Entry& entry) {
      return !id.empty() && entry.id == id && !going.contains(&entry);
    };
    removed.deleted = std::none_of(now->entries.begin(), now->entries.end(), stays);
    if (removed.deleted && in_use.contains(id)) {
      return Error(ErrorCode::kConflict,
                   cat("image ", reference, " is used by a container; delete its pods first"));
    }
    Index index;
    for (const auto& entry : now->entries) {
      if (!going.contains(&entry)) index.manifests.push_back(entry.target);
      if (going.contains(&entry) && !entry.name.empty()) removed.untagged.push_back(entry.name);
    }
    MINIK_TRY(write_index_file(index));
  }
  if (removed.deleted) collect_or_warn();
  return removed;
}

Result<std::vector<RemovedImage>> ImageStore::prune(const ImagesInUse& in_use) {
  std::vector<RemovedImage> removed;
  {
    MINIK_ASSIGN(const FileLock lock, FileLock::exclusive(cat(content_.root(), "/index.lock")));
    MINIK_ASSIGN(const auto now, catalog());
    Index index;
    for (const auto& entry : now->entries) {
      if (!entry.name.empty() || in_use.contains(entry.id)) {
        index.manifests.push_back(entry.target);
      } else {
        removed.push_back({entry.id, {}, true});
      }
    }
    if (!removed.empty()) MINIK_TRY(write_index_file(index));
  }
  collect_or_warn();
  return removed;
}

Status ImageStore::unpack_layers(const ImageInfo& image) {
  std::vector<std::string> lowers;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const LayerStore::Layer layer{image.layers[i].digest, image.config.diff_ids[i],
                                  image.chain_ids[i]};
    if (!layers_.has(layer.chain_id)) MINIK_TRY(layers_.unpack(layer, lowers));
    lowers.insert(lowers.begin(), layers_.path(layer.chain_id));
  }
  return {};
}

Result<std::vector<std::string>> ImageStore::rootfs_layers(const ImageInfo& image) {
  const auto unpacked = [&] {
    return std::all_of(image.chain_ids.begin(), image.chain_ids.end(),
                       [&](const Digest& chain_id) { return layers_.has(chain_id); });
  };
  if (!unpacked()) {
    MINIK_ASSIGN(const ContentLease lease, content_.lease());
    MINIK_TRY(unpack_layers(image));
  }
  std::vector<std::string> paths;
  for (auto it = image.chain_ids.rbegin(); it != image.chain_ids.rend(); ++it) {
    paths.push_back(layers_.path(*it));
  }
  return paths;
}

// Everything that the entries need, also of other platforms where it is here: an index is kept
// whole. What is here but cannot be read stops the collection, since its needs are not known. What
// reads as something else than an image (an attestation) has none.
Result<ImageStore::Reachable> ImageStore::reachable(const Index& index) const {
  Reachable found;
  std::vector<std::pair<Digest, int>> open;
  for (const Descriptor& entry : index.manifests) open.emplace_back(entry.digest, 0);
  while (!open.empty()) {
    const auto [digest, depth] = open.back();
    open.pop_back();
    if (!found.blobs.insert(digest).second || depth > kIndexDepthMax) continue;
    if (!content_.has(digest)) continue;  // of a platform that was not fetched
    MINIK_ASSIGN(const std::string document, content_.read(digest, kDocumentBytesMax));
    const auto nested = parse_index(document);
    const auto manifest = parse_manifest(document);
    if (nested) {
      for (const Descriptor& entry : nested->manifests) open.emplace_back(entry.digest, depth + 1);
    }
    if (!manifest) continue;
    found.blobs.insert(manifest->config.digest);
    for (const Descriptor& layer : manifest->layers) found.blobs.insert(layer.digest);
    if (!content_.has(manifest->config.digest)) continue;
    MINIK_ASSIGN(const std::string text, content_.read(manifest->config.digest, kDocumentBytesMax));
    const auto config = parse_image_config(text);
    if (!config) continue;
    for (const Digest& chain_id : chain_ids(config->diff_ids)) found.chains.insert(chain_id);
  }
  return found;
}

// The images are gone from the list whether or not their content could go as well.
void ImageStore::collect_or_warn() {
  if (auto collected = collect_garbage(); !collected) {
    MINIK_LOG(kWarning, "image", collected.error().message);
  }
}

Result<bool> ImageStore::collect_garbage() {
  MINIK_ASSIGN(const auto alone, content_.try_lock_for_removal());
  if (!alone) return false;
  MINIK_ASSIGN(const Index index, read_index());
  auto reached = reachable(index);
  if (!reached) return std::move(reached).error().in("nothing unused is removed");
  const Reachable& kept = *reached;
  MINIK_TRY(
      layers_.collect([&](const Digest& chain_id) { return kept.chains.contains(chain_id); }));
  MINIK_TRY(content_.remove_blobs(
      *alone, [&](const Digest& digest) { return kept.blobs.contains(digest); }));
  return true;
}

}  // namespace minik::runtime
