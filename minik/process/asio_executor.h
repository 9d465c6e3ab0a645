// The Executor of the control thread: Boost.Asio's io_context behind minik/net's EventLoop, the
// same loop that the I/O threads run. Real time, timers in a heap (100,000 of them are no burden),
// post() from any thread, and no processor time while nothing happens.
//
// The process owns one and runs it on its control thread; see minik/net/event_loop.h for the rules.
#pragma once

#include "minik/net/event_loop.h"

namespace minik {

using AsioExecutor = EventLoop;

}  // namespace minik
