#include "tools/common/signals.h"

#include <csignal>

#include <pthread.h>
#include <unistd.h>

namespace lade::tools {
namespace {

constexpr int kInterrupted = 130;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR1);  // the destructor's own call
  return set;
}

}  // namespace

StopOnSignal::StopOnSignal() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // every later thread inherits it
  waiter_ = std::jthread([this, set](const std::stop_token& stop) {
    for (;;) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0 || stop.stop_requested()) return;
      if (signal == SIGUSR1) continue;
      if (source_.stop_requested()) ::_exit(kInterrupted);
      source_.request_stop();
    }
  });
}

StopOnSignal::~StopOnSignal() {
  waiter_.request_stop();
  pthread_kill(waiter_.native_handle(), SIGUSR1);
}

}  // namespace lade::tools
