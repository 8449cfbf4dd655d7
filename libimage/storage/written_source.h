#pragma once
#include <thread>
#include <vector>

#include "libimage/io/pipe.h"
#include "libimage/layer/entry.h"

namespace lade {

/// The tar that write_tar() makes of `entries`, written on a thread of its own while it is read.
class WrittenSource final : public Source {
 public:
  explicit WrittenSource(std::vector<LayerEntry> entries);
  ~WrittenSource() override;
  WrittenSource(const WrittenSource&) = delete;
  WrittenSource& operator=(const WrittenSource&) = delete;
  std::size_t read(std::span<std::byte> out) override;

 private:
  std::vector<LayerEntry> entries_;
  Pipe pipe_;
  PipeSource from_{pipe_};
  std::jthread thread_;
};

}  // namespace lade
