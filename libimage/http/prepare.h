#pragma once

namespace lade {

/// Loads what the first request of a process needs, which takes longer than most requests. What
/// fails is left for that request to tell.
void prepare_http() noexcept;

}  // namespace lade
