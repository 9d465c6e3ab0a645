// ImageStore: named images over a ContentStore, and their layers unpacked for overlayfs.
//
//   <root>/index.json        OCI index: one entry a name, org.opencontainers.image.ref.name is the
//                            completed reference; an entry without a name is an image that lost its
//                            tag
//   <root>/index.lock        flock around every change of it
//   <root>/layers/<chain>/   one unpacked layer, ready to be a lowerdir
//
// The root is a valid OCI image layout at every moment, so skopeo can read it. An image's id is the
// digest of its configuration, as in Docker and CRI. Names hold targets: a manifest, or an index of
// which the host's platform is taken.
//
// Thread-safe, and safe beside other processes on the same root (the CLI beside the daemon): names
// change under a lock and in one rename; whoever adds content holds a lease of the ContentStore,
// whoever collects garbage waits for none and leaves it to the next collection. Blocking: for
// worker threads.
//
// Removing never touches an image whose id is in the in-use set that the caller passes; the store
// does not know containers. Failing: kNotFound for names that are not here, kConflict for images in
// use, kInvalid for bad names and content, each one line with its remedy.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/content_store.h"
#include "runtime/image/layers.h"
#include "runtime/image/manifest.h"
#include "runtime/image/reference.h"

namespace minik::runtime {

struct ImageInfo {
  Digest id;                              // of the configuration
  Digest target;                          // what the names point at
  Digest manifest;                        // of this platform; equals target when that is no index
  std::vector<std::string> names;         // "docker.io/library/busybox:latest", sorted
  std::vector<std::string> repo_digests;  // "docker.io/library/busybox@sha256:…", of pulled images
  int64_t size_bytes = 0;                 // of its blobs as stored
  ImageConfig config;
  std::vector<Descriptor> layers;  // blobs, base first; as many as config.diff_ids
  std::vector<Digest> chain_ids;   // base first
};

// Ids of the images that containers use.
using ImagesInUse = std::set<Digest>;

struct RemovedImage {
  Digest id;                          // empty when the image was too damaged to tell
  std::vector<std::string> untagged;  // names that are gone
  bool deleted = false;               // no name was left: its content goes too
};

class ImageStore {
 public:
  static Result<std::unique_ptr<ImageStore>> open(const std::string& root);
  ~ImageStore();
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;

  // By name (completed as Docker does), name@digest, id with or without `sha256:`, or an
  // unambiguous beginning of an id of at least 4 digits.
  Result<ImageInfo> find(std::string_view reference) const;
  // Sorted by first name; images without a name last.
  Result<std::vector<ImageInfo>> list() const;

  // Another name for an image; a name that pointed elsewhere moves.
  Result<ImageInfo> tag(std::string_view existing, std::string_view name);
  // A name goes; with its last name the image. An id removes every name.
  Result<RemovedImage> remove(std::string_view reference, const ImagesInUse& in_use);
  // Images without a name that nobody uses go, and every blob and layer that nothing names.
  Result<std::vector<RemovedImage>> prune(const ImagesInUse& in_use);

  // The lowerdirs of a container, topmost first as overlayfs wants them. Unpacks what is not
  // unpacked.
  Result<std::vector<std::string>> rootfs_layers(const ImageInfo& image);
  // Mount options that go with these lowerdirs: whiteouts are marked by user.* attributes.
  bool needs_userxattr() const { return layers_.privileges().xattr_prefix == "user.overlay."; }

  // For loaders, pullers and makers, which hold a lease from before their first blob:
  const ContentStore& content() const { return content_; }
  enum class Unpack : uint8_t { kNow, kLater };
  // Checks that everything the target needs is here and fits together, and unpacks it when asked
  // to.
  Result<ImageInfo> verify(const Descriptor& target, Unpack unpack, const ContentLease& lease);
  // Verifies and names it, all names in one step. No names: it is kept without one.
  Result<ImageInfo> adopt(const Descriptor& target, const std::vector<std::string>& names,
                          Unpack unpack, const ContentLease& lease,
                          const std::map<std::string, std::string>& annotations = {});
  // The annotations that a name was adopted with; nothing when the name is not here.
  std::optional<std::map<std::string, std::string>> annotations(const std::string& name) const;
  // Removes blobs and layers that nothing names; false when somebody adds just now.
  Result<bool> collect_garbage();

 private:
  struct Catalog;
  ImageStore(ContentStore content, LayerStore layers);

  Result<std::shared_ptr<const Catalog>> catalog() const;
  Result<Index> read_index() const;
  Status write_index_file(const Index& index) const;
  Result<ImageInfo> resolve(const Descriptor& target) const;
  Result<Descriptor> manifest_for_host(const Descriptor& target, int depth) const;
  Status unpack_layers(const ImageInfo& image);
  struct Reachable {
    std::set<Digest> blobs, chains;
  };
  Result<Reachable> reachable(const Index& index) const;
  void collect_or_warn();

  const ContentStore content_;
  LayerStore layers_;
  mutable std::mutex mutex_;  // guards catalog_
  mutable std::shared_ptr<const Catalog> catalog_;
};

}  // namespace minik::runtime
