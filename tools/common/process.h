#pragma once
#include "tools/common/options.h"

namespace lade::tools {

/// The environment variables of this process; the store is not chosen yet.
Environment process_environment();

/// Has the allocator give large buffers back to the system as soon as they are freed, instead of
/// keeping holes: a third of the peak memory of a COPY of 100,000 files. Call before threads are
/// made.
void return_large_buffers();

/// Effective user id.
unsigned process_uid();

}  // namespace lade::tools
