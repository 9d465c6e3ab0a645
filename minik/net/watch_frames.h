// WatchFrame: one event of a watch as all clients get it that asked for the same form.
//
//   control thread: WatchFrames::frame(call, event)   the same frame for every watcher of that event and form
//   I/O threads:    frame->text(now)                  encoded by the first that needs it, read by all
//
// A thousand watchers of a pod cost one encoding. The text lives as long as a watcher still waits for it, and
// live_bytes() says what all texts together hold: the measure of how far watchers lag behind.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "control/api/http.h"

namespace minik {

using SharedCall = std::shared_ptr<const control::ResourceCall>;

class WatchFrame {
 public:
  WatchFrame(const control::Schema& schema, SharedCall call, control::WatchEvent event,
             std::shared_ptr<std::atomic<size_t>> live_bytes);
  ~WatchFrame();
  WatchFrame(const WatchFrame&) = delete;
  WatchFrame& operator=(const WatchFrame&) = delete;

  // Of any thread. A Table's ages are those of the first call.
  const std::string& text(WallTime now);
  bool is(const control::ResourceCall& call, const control::WatchEvent& event) const;

 private:
  const control::Schema& schema_;
  const SharedCall call_;
  const control::WatchEvent event_;
  const std::shared_ptr<std::atomic<size_t>> live_bytes_;
  std::once_flag encoded_;
  std::string text_;
};

using WatchFramePtr = std::shared_ptr<WatchFrame>;

// Control thread only, but for live_bytes().
class WatchFrames {
 public:
  explicit WatchFrames(const control::Schema& schema) : schema_(schema) {}

  WatchFramePtr frame(const SharedCall& call, const control::WatchEvent& event);
  // At the end of a turn: what nobody waits for goes.
  void forget() { recent_ = {}; }
  const std::atomic<size_t>& live_bytes() const { return *live_bytes_; }

 private:
  const control::Schema& schema_;
  const std::shared_ptr<std::atomic<size_t>> live_bytes_ = std::make_shared<std::atomic<size_t>>(0);
  // Watchers hear of one event after the other, so a frame that is still wanted is among the newest: one for
  // each form in use.
  std::array<WatchFramePtr, 4> recent_;
  size_t next_ = 0;
};

}  // namespace minik
