// TerminalView: a run on a terminal while it happens: actions scroll by, and below them stands where virtual time
// is, how fast it passes, and how pods and nodes are. Draws ten times a second at the most.
//
// Only for a terminal: elsewhere actions are plain lines and nothing else is shown (PlainView).
#pragma once

#include <chrono>
#include <string>

#include "sim/census.h"
#include "sim/run_listener.h"

namespace minik::cli {

class TerminalView : public sim::RunListener {
 public:
  TerminalView(std::string title, Duration run_time);
  ~TerminalView() override;

  void on_write(Instant now, const control::LogRecord& record) override;
  void on_action(Duration now, const std::string& text) override;
  void on_second(Duration now, sim::SimulatedCluster& cluster) override;

  // Takes the view away; what is printed from then on stays.
  void clear();
  // " in 1.2s (1250 times real time)".
  std::string speed(Duration virtual_time) const;

 private:
  using Clock = std::chrono::steady_clock;
  void draw(Duration now);

  const std::string title_;
  const Duration run_time_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point drawn_;
  sim::Census census_;
  uint64_t writes_ = 0;
  int lines_ = 0;  // on the screen
};

class PlainView : public sim::RunListener {
 public:
  void on_action(Duration now, const std::string& text) override;
};

}  // namespace minik::cli
