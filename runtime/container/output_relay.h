// OutputRelay: one output stream of a container, from its pipe or terminal to the log and to those who are attached.
//
//   container -> source -> log
//                       -> guest, guest…   what one has not taken yet waits in its buffer
//
// While a guest has not taken all, nothing more is read: a container is held up by whoever watches it, as containerd
// does, so no line is lost and no buffer grows beyond one read. A guest that has gone is told by its pipe, closed and
// forgotten; nobody waits for the dead. Each turn makes one read: a container that writes faster than the log takes must
// not keep its shim from everything else.
//
// Containers start faster than a client that waits for them can be there. Where it is asked for, the first guest is told
// what he has missed, unless that is more than a screen or two, which is for the log.
//
// Owned by the shim, on its only thread.
#pragma once

#include <poll.h>

#include <list>
#include <string>
#include <vector>

#include "runtime/container/log_writer.h"

namespace minik::runtime {

class OutputRelay {
 public:
  // Each holds a descriptor; far more than people who watch.
  static constexpr size_t kGuestsMax = 64;

  // Standard error is marked as such in the log.
  explicit OutputRelay(bool is_stderr) : is_stderr_(is_stderr) {}
  ~OutputRelay();
  OutputRelay(const OutputRelay&) = delete;
  OutputRelay& operator=(const OutputRelay&) = delete;

  // The source becomes the relay's own.
  void open(int source);
  // Keeps what comes for the first guest.
  void expect_guest() { keeps_early_ = true; }
  // Takes the descriptor; false, and it stays the caller's, when there are too many already.
  bool attach(int guest);
  // What it waits for in this turn; guests that have gone are closed here.
  void add_polled(std::vector<pollfd>& polled);
  // False when the descriptor is none of its own.
  bool handle(const pollfd& ready, LogWriter* log);
  // What the container had written when it ended.
  void read_rest(LogWriter* log);
  // A guest has not taken everything yet.
  bool delivers() const;

 private:
  struct Guest {
    int fd;
    std::string pending;
    bool gone = false;
  };
  // Answers how much came; 0 when there is nothing now, or nothing any more.
  size_t read_once(LogWriter* log);
  static void deliver(Guest& guest);

  const bool is_stderr_;
  int source_ = -1;
  std::list<Guest> guests_;
  bool keeps_early_ = false;
  std::string early_;
};

}  // namespace minik::runtime
