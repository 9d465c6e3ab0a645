// FdChannel: reading and writing one non-blocking descriptor (a pipe, a terminal, a socket) on a
// loop, with back-pressure in both directions.
//
// Reading starts with resume_reading() and can be paused. write() never blocks: what the descriptor
// does not take waits, and backlog() says how much; on_drain comes when a backlog has gone.
// end_writing() takes effect after the backlog: a socket is shut down for writing, any other
// descriptor is left alone unless nobody reads from it, then it is closed (a process sees the end
// of its stdin).
//
// Kept by a shared pointer; lives on its loop's thread. Callbacks come from the loop, never from
// inside a call, and none after close(). A failure to read counts as the end.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "minik/net/event_loop.h"
#include "minik/net/unique_fd.h"

namespace minik {

class FdChannel : public std::enable_shared_from_this<FdChannel> {
 public:
  struct Events {
    std::function<void(std::string_view)> on_bytes = {};
    Task on_end = {};     // end of file, or the other side is gone
    Task on_drain = {};   // what write() left waiting has left
    Task on_broken = {};  // writing failed: nobody reads any more
  };

  static std::shared_ptr<FdChannel> open(EventLoop& loop, UniqueFd fd);
  ~FdChannel();

  void start(Events events);
  void resume_reading();
  void pause_reading() { reading_ = false; }
  void write(std::string_view bytes);
  void end_writing();
  size_t backlog() const { return waiting_.size(); }
  // Closes the descriptor at once and drops the callbacks.
  void close();

 private:
  FdChannel(EventLoop& loop, UniqueFd fd);
  void wait_readable();
  void on_readable();
  void flush();
  void finish_writing();
  void broken();

  UniqueFd fd_;
  std::unique_ptr<FdWatch> watch_;
  std::shared_ptr<Events> events_;
  std::string waiting_;
  bool reading_ = false;
  bool read_ended_ = false;
  bool ending_ = false;
  bool write_ended_ = false;
};

// Whether errno says of a read or a write that failed no more than that it is to be tried again.
bool would_block();
// False for a descriptor that is not open.
bool set_nonblocking(int fd);

}  // namespace minik
