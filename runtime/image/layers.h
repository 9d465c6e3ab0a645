// LayerStore: each layer unpacked once, as a folder that overlayfs takes as a lowerdir.
//
//   <root>/layers/<chain id>/    the tree of one layer, complete as soon as the name exists
//
// The key is the chain id (this layer on those below it), because folders that a layer only implies
// take their mode and owner from the layers below. Unpacking hashes the uncompressed stream and
// refuses a layer that is not its diff id; it works in ingest/ and renames, so a crash leaves no
// half layer.
//
// Whiteouts become what overlayfs reads: `.wh.x` a character device 0/0, `.wh..wh..opq` the
// attribute trusted.overlay.opaque, or user.overlay.opaque where the process may not set trusted
// attributes. What an unprivileged process cannot make is left out as rootless engines do: owners,
// device nodes.
//
// Thread-safe; two threads that want one layer unpack it once. The caller holds a ContentLease.
// Follows image-spec's layer.md and the kernel's overlayfs.rst.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/content_store.h"
#include "runtime/image/layer_writer.h"

namespace minik::runtime {

class LayerStore {
 public:
  static Result<LayerStore> open(const ContentStore& content);

  std::string path(const Digest& chain_id) const;
  bool has(const Digest& chain_id) const;
  const LayerPrivileges& privileges() const { return privileges_; }

  struct Layer {
    Digest blob;     // as stored, compressed or not
    Digest diff_id;  // of the uncompressed stream
    Digest chain_id;
  };
  // lowers: paths of the layers below, topmost first.
  Status unpack(const Layer& layer, const std::vector<std::string>& lowers);

  // Removes the layers that keep() refuses; the caller holds the removal lock.
  Status collect(const std::function<bool(const Digest&)>& keep) const;

 private:
  struct Flights;
  LayerStore(ContentStore content, LayerPrivileges privileges);
  Status unpack_alone(const Layer& layer, const std::vector<std::string>& lowers) const;

  ContentStore content_;
  LayerPrivileges privileges_;
  std::shared_ptr<Flights> flights_;  // chain ids that some thread is unpacking
};

}  // namespace minik::runtime
