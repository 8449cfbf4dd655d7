#pragma once
#include <string>
#include <utility>

#include "libimage/io/stream.h"

namespace lade {

/// Reads a text that it owns.
class TextSource final : public Source {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)), rest_(text_) {}
  TextSource(const TextSource&) = delete;
  TextSource& operator=(const TextSource&) = delete;
  std::size_t read(std::span<std::byte> out) override { return rest_.read(out); }

 private:
  std::string text_;
  StringSource rest_;
};

}  // namespace lade
