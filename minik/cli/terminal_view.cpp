#include "minik/cli/terminal_view.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "control/base/text.h"

namespace minik::cli {

namespace {

using Milliseconds = std::chrono::milliseconds;
constexpr auto kRedrawPeriod = Milliseconds(100);
constexpr uint64_t kWritesBetweenLooks = 1'024;  // at the clock, in a second that takes long

size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

// A line that is too long would take two and spoil the count. Cuts no character in two.
std::string fitting(const std::string& text, size_t width) {
  size_t columns = 0, bytes = 0;
  while (bytes < text.size() && columns < width - 1) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) ++bytes;
    ++columns;
  }
  return text.substr(0, bytes);
}

std::string action_line(Duration now, const std::string& text) {
  const std::string time = format_duration(milliseconds(now.milliseconds()));
  return cat(std::string(time.size() < 10 ? 10 - time.size() : 0, ' '), time, "  ", text);
}

int64_t milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::max<int64_t>(1, std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace

TerminalView::TerminalView(std::string title, Duration run_time) : title_(std::move(title)), run_time_(run_time) {}
TerminalView::~TerminalView() { clear(); }

void TerminalView::clear() {
  if (lines_ > 0) std::printf("\033[%dA\033[J", lines_);
  std::fflush(stdout);
  lines_ = 0;
}

std::string TerminalView::speed(Duration virtual_time) const {
  const int64_t passed = milliseconds_since(begun_);
  return cat(" in ", format_duration(milliseconds(passed)), " (", virtual_time.milliseconds() / passed, " times real time)");
}

void TerminalView::on_write(Instant now, const control::LogRecord& record) {
  census_.on_write(record);
  if (++writes_ % kWritesBetweenLooks == 0) draw(Duration{now.ns});
}

void TerminalView::on_action(Duration now, const std::string& text) {
  clear();
  std::printf("%s\n", action_line(now, text).c_str());
}

void TerminalView::on_second(Duration now, sim::SimulatedCluster&) { draw(now); }

void TerminalView::draw(Duration now) {
  const auto clock = Clock::now();
  if (clock - drawn_ < kRedrawPeriod) return;
  drawn_ = clock;
  const int64_t passed = milliseconds_since(begun_);
  constexpr int64_t kBar = 24;
  const int64_t filled = run_time_.ns > 0 ? std::min(kBar, kBar * now.milliseconds() / std::max<int64_t>(1, run_time_.milliseconds())) : 0;
  std::string bar;
  for (int64_t i = 0; i < kBar; ++i) bar += i < filled ? "█" : "░";
  std::string pods;
  for (size_t i = 0; i < sim::kPodPhases; ++i) {
    const auto phase = static_cast<sim::PodPhase>(i);
    if (i > 1 && census_.pods(phase) == 0) continue;
    pods += cat(pods.empty() ? "" : " · ", census_.pods(phase), " ", to_lower(sim::phase_name(phase)));
  }
  const auto& nodes = census_.nodes();
  const size_t width = terminal_width();
  const std::string lines[] = {
      cat(bar, "  ", format_duration(seconds(now.seconds())), " of ", format_duration(run_time_), "  ",
          now.milliseconds() / passed, " times real time"),
      cat("pods   ", pods),
      cat("nodes  ", nodes.ready, " ready · ", nodes.not_ready, " not ready", nodes.cordoned > 0 ? cat(" · ", nodes.cordoned, " cordoned") : "",
          "   writes ", writes_, "   restarts ", census_.restarts()),
      cat("       ", title_),
  };
  std::string screen = lines_ > 0 ? cat("\033[", lines_, "A") : "";
  for (const auto& line : lines) screen += cat("\033[K", fitting(line, width), "\n");
  lines_ = static_cast<int>(std::size(lines));
  std::fputs(screen.c_str(), stdout);
  std::fflush(stdout);
}

void PlainView::on_action(Duration now, const std::string& text) { std::printf("%s\n", action_line(now, text).c_str()); }

}  // namespace minik::cli
