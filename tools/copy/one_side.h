#pragma once
#include <memory>

#include "tools/common/images.h"
#include "tools/common/progress.h"
#include "tools/common/signals.h"

namespace lade::tools {

/// What a verb with one side works with: signals, warnings, the session, the local store.
struct OneSide {
  OneSide(const Arguments& arguments, const Environment& environment)
      : warnings(make_progress(arguments, environment)),
        session(make_session(arguments, environment, Side::only, stop.token(), warnings.get())),
        stores(environment) {}

  StopOnSignal stop;
  std::unique_ptr<ProgressObserver> warnings;
  std::unique_ptr<Session> session;
  Stores stores;
};

}  // namespace lade::tools
