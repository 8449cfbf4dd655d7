/// The loopback interface of a network namespace.
#pragma once

namespace lade::sandbox {

/// Brings `lo` up in this thread's network namespace.
void bring_loopback_up();

}  // namespace lade::sandbox
