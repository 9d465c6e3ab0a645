// ArchiveWriter: a tar archive, entry by entry, into a sink.
//
// Equal entries give equal bytes: nothing comes from the clock, the user or the machine. Pax
// headers are written only where ustar has no room. One thread; blocking. Failing is what the sink
// failed with.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "control/base/result.h"
#include "runtime/image/layer_writer.h"

namespace minik::runtime {

class ArchiveWriter {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;
  static Result<ArchiveWriter> open(Sink sink);
  ~ArchiveWriter();
  ArchiveWriter(ArchiveWriter&&) noexcept;
  ArchiveWriter& operator=(ArchiveWriter&&) = delete;

  // The content of a file; entry.size is set from it.
  Status add(LayerEntry entry, std::string_view content = {});
  // entry.size bytes are read from the descriptor.
  Status add_from(const LayerEntry& entry, int fd);
  Status finish();

 private:
  struct State;
  explicit ArchiveWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace minik::runtime
