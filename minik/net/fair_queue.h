// FairQueue: where requests wait for the control thread, so that none who asks much delays those who ask little.
//
//   submit -> line of its flow \                                     seats of the level in use
//             line of its flow  >- level -- a request of each flow in turn --> run(seat)
//             …                /     each level in each turn of the control thread
//
// A turn takes a bounded number of requests, from every level that has some, and in a level from one flow after
// the other; a request that costs much uses up several of its flow's turns. A limited level has seats (its share of
// all): a request holds one until its answer is decided, so that writes which wait for the disk count. What does not
// fit in its flow's line is refused at once. Exempt levels have no limits, but the same turns. Long-running requests
// hold none while they last, but at most until they have begun: in requests to other API servers, until those answer. They
// are counted by user and in all.
//
// Of its seats a level keeps those that are not lendable, whatever others do. Lendable ones that are idle anybody may
// use, the level itself first of all in its turn, others up to their borrowing limit; all levels together use no more
// than there are, but that one request of a level with none in work always runs. A level counts from its first request on.
//
// The cluster's own components do not come this way: they are on the control thread, and have their say between
// any two turns. Control thread only, but for the release of a LongRunning, which any thread may do.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "control/api/flow_control.h"
#include "control/base/executor.h"
#include "minik/net/limits.h"

namespace minik {

struct FairQueueLimits {
  int64_t seats = kApiSeats;
  int64_t seats_per_turn = kApiSeatsPerTurn;
  size_t long_running_max = kLongRunningMax;
  size_t long_running_per_user_max = kLongRunningPerUserMax;
};

class FairQueue : public std::enable_shared_from_this<FairQueue> {
 public:
  // Held while a request is in work; given back when the last copy goes, on the control thread.
  using Seat = std::shared_ptr<void>;
  using LongRunning = std::shared_ptr<void>;
  using Run = std::function<void(Seat)>;

  FairQueue(Executor& control, FairQueueLimits limits) : control_(control), limits_(limits) {}

  // False when the line of its flow is full: `run` will not be called. `total_shares` as the classifier says.
  bool submit(const control::FlowClass& of, int64_t total_shares, int64_t seats, Run run);
  // Null when the user, or all together, have too many.
  LongRunning open_long_running(const std::string& user);

 private:
  struct Waiting {
    int64_t seats;
    Run run;
  };
  struct Flow {
    std::deque<Waiting> line;
    int64_t credit = 0;
  };
  struct Level {
    std::shared_ptr<const control::PriorityLevel> settings;
    int64_t seats = 0;  // its share of all
    int64_t kept = 0;   // of those, what it does not lend
    int64_t most = 0;   // with what it borrows
    int64_t in_use = 0;
    std::map<std::string, Flow> flows;  // those with requests that wait
    std::string next_flow;              // whose turn it is
  };

  void pump_soon();
  void pump();
  // Whether the level may use so many seats more.
  bool has_room(const Level& level, int64_t seats) const;
  // Runs one request of the level, if its seats allow; what it cost, or 0.
  int64_t run_next(Level& level);
  Seat take_seat(Level& level, int64_t seats);

  Executor& control_;
  const FairQueueLimits limits_;
  std::map<std::string, Level> levels_;  // by name
  bool pumping_ = false;
  size_t long_running_ = 0;
  std::map<std::string, size_t> long_running_of_;
};

// A seat of a request that is in work on other threads, of which any may give it back.
class CarriedSeat {
 public:
  CarriedSeat(Executor& control, FairQueue::Seat seat) : control_(control), seat_(std::move(seat)) {}
  ~CarriedSeat() { give_back(); }
  CarriedSeat(const CarriedSeat&) = delete;
  CarriedSeat& operator=(const CarriedSeat&) = delete;

  // By one thread at a time.
  void give_back() {
    if (seat_) control_.post([seat = std::exchange(seat_, nullptr)] {});
  }

 private:
  Executor& control_;
  FairQueue::Seat seat_;
};

}  // namespace minik
