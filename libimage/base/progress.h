/// What long work tells the outside: typed events, no text for terminals.
#pragma once
#include <cstdint>
#include <string>

namespace lade {

struct ProgressEvent {
  enum class Kind {
    started,   ///< an item begins; `total` bytes, 0 if unknown
    advanced,  ///< `done` of `total` bytes so far
    finished,  ///< the item is complete; `note` may say how ("exists", "mounted", "cached")
    failed,    ///< the item failed; `note` is the reason
    output,    ///< a line or piece of a step's output, in `note`
    warning,   ///< something the user should know once, in `note`
    summary,   ///< the whole operation's last word, in `note`
  };
  Kind kind = Kind::advanced;
  std::string item =
      {};  ///< stable name of the item in this operation, e.g. a digest or "step 3/12"
  std::string label = {};  ///< for people: "blob sha256:9f2e…", "RUN apt-get update"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::string note = {};
};

/// Receives events from any thread. notify() must be thread-safe, cheap and must not throw.
class ProgressObserver {
 public:
  virtual ~ProgressObserver() = default;
  virtual void notify(const ProgressEvent& event) noexcept = 0;
};

/// Ignores everything.
class SilentObserver final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& /*event*/) noexcept override {}
};

}  // namespace lade
