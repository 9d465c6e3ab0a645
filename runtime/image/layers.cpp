#include "runtime/image/layers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <set>

#include "control/base/text.h"
#include "runtime/image/archive_reader.h"

namespace minik::runtime {

struct LayerStore::Flights {
  std::mutex mutex;
  std::condition_variable landed;
  std::set<Digest> chain_ids;
};

LayerStore::LayerStore(ContentStore content, LayerPrivileges privileges)
    : content_(std::move(content)),
      privileges_(std::move(privileges)),
      flights_(std::make_shared<Flights>()) {}

Result<LayerStore> LayerStore::open(const ContentStore& content) {
  MINIK_TRY(make_directories(cat(content.root(), "/layers"), 0755));
  MINIK_ASSIGN(const ContentLease lease, content.lease());
  MINIK_ASSIGN(LayerPrivileges privileges, probe_layer_privileges(cat(content.root(), "/ingest")));
  return LayerStore(content, std::move(privileges));
}

std::string LayerStore::path(const Digest& chain_id) const {
  return cat(content_.root(), "/layers/", chain_id.hex());
}

bool LayerStore::has(const Digest& chain_id) const {
  return ::access(path(chain_id).c_str(), F_OK) == 0;
}

Status LayerStore::unpack(const Layer& layer, const std::vector<std::string>& lowers) {
  {
    std::unique_lock lock(flights_->mutex);
    flights_->landed.wait(lock, [&] { return !flights_->chain_ids.contains(layer.chain_id); });
    if (has(layer.chain_id)) return {};
    flights_->chain_ids.insert(layer.chain_id);
  }
  auto done = unpack_alone(layer, lowers);
  {
    const std::lock_guard lock(flights_->mutex);
    flights_->chain_ids.erase(layer.chain_id);
  }
  flights_->landed.notify_all();
  if (!done) return std::move(done).error().in(cat("unpack layer ", layer.blob.text()));
  return {};
}

Status LayerStore::unpack_alone(const Layer& layer, const std::vector<std::string>& lowers) const {
  const std::string temporary = content_.ingest_path(random_name());
  if (::mkdir(temporary.c_str(), 0700) != 0) return disk_error(errno, cat("make ", temporary));
  const auto extract = [&]() -> Status {
    MINIK_ASSIGN(const UniqueFd blob, content_.open_blob(layer.blob));
    ::posix_fadvise(blob.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    MINIK_ASSIGN(ArchiveReader reader,
                 ArchiveReader::open(source_from_fd(blob.get(), content_.blob_path(layer.blob))));
    MINIK_ASSIGN(LayerWriter writer, LayerWriter::open(temporary, privileges_, lowers));
    LayerEntry entry;
    while (true) {
      MINIK_ASSIGN(const bool more, reader.next(entry));
      if (!more) break;
      MINIK_TRY(writer.add(entry, [&](int fd) { return reader.read_to_file(fd); }));
    }
    MINIK_ASSIGN(const Digest digest, reader.finish());
    if (digest != layer.diff_id) {
      return Error(ErrorCode::kInvalid,
                   cat("its content is ", digest.text(), ", but the image's configuration says ",
                       layer.diff_id.text(), "; the image is damaged, get it again"));
    }
    MINIK_TRY(writer.finish());
    // The name must not outlive the content when the machine loses its power.
    MINIK_ASSIGN(const UniqueFd folder, open_file(temporary, O_RDONLY | O_DIRECTORY));
    if (::syncfs(folder.get()) != 0) return disk_error(errno, cat("sync ", temporary));
    const std::string final_path = path(layer.chain_id);
    if (::rename(temporary.c_str(), final_path.c_str()) != 0) {
      // Another process was as quick; its tree is as good.
      if (errno == ENOTEMPTY || errno == EEXIST) return remove_tree(temporary);
      return disk_error(errno, cat("rename to ", final_path));
    }
    return sync_directory(cat(content_.root(), "/layers"));
  };
  auto extracted = extract();
  if (!extracted) {
    // The first failure is the one to tell; what is left is swept by the next open.
    if (auto removed = remove_tree(temporary); !removed) return extracted;
  }
  return extracted;
}

Status LayerStore::collect(const std::function<bool(const Digest&)>& keep) const {
  const std::string folder = cat(content_.root(), "/layers");
  std::vector<Digest> doomed;
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return disk_error(errno, cat("read ", folder));
  while (const dirent* entry = ::readdir(entries)) {
    auto chain_id = Digest::from_hex(entry->d_name);
    if (chain_id && !keep(*chain_id)) doomed.push_back(*std::move(chain_id));
  }
  ::closedir(entries);
  for (const Digest& chain_id : doomed) {
    // Out of sight first: nobody sees a layer that is half gone.
    const std::string temporary = content_.ingest_path(random_name());
    if (::rename(path(chain_id).c_str(), temporary.c_str()) != 0) {
      return disk_error(errno, cat("move ", path(chain_id)));
    }
    MINIK_TRY(remove_tree(temporary));
  }
  return {};
}

}  // namespace minik::runtime
