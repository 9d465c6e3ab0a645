#include "minik/net/watch_frames.h"

#include <utility>

namespace minik {

WatchFrame::WatchFrame(const control::Schema& schema, SharedCall call, control::WatchEvent event,
                       std::shared_ptr<std::atomic<size_t>> live_bytes)
    : schema_(schema), call_(std::move(call)), event_(std::move(event)), live_bytes_(std::move(live_bytes)) {}

WatchFrame::~WatchFrame() {
  live_bytes_->fetch_sub(text_.size(), std::memory_order_relaxed);
}

const std::string& WatchFrame::text(WallTime now) {
  std::call_once(encoded_, [&] {
    text_ = control::encode_watch_event(schema_, *call_, event_, now);
    live_bytes_->fetch_add(text_.size(), std::memory_order_relaxed);
  });
  return text_;
}

bool WatchFrame::is(const control::ResourceCall& call, const control::WatchEvent& event) const {
  const auto& mine = call_->format;
  const auto& other = call.format;
  return event_.object.same_node(event.object) && event_.type == event.type &&
         call_->request.kind == call.request.kind && mine.representation == other.representation &&
         mine.include_object == other.include_object && mine.pretty == other.pretty && mine.yaml == other.yaml;
}

WatchFramePtr WatchFrames::frame(const SharedCall& call, const control::WatchEvent& event) {
  for (const auto& frame : recent_) {
    if (frame && frame->is(*call, event)) return frame;
  }
  auto made = std::make_shared<WatchFrame>(schema_, call, event, live_bytes_);
  recent_[next_++ % recent_.size()] = made;
  return made;
}

}  // namespace minik
