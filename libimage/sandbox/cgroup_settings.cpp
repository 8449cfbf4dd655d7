// The runtime specification's resources as control files (config-linux.md, "Control groups";
// kernel documentation of cgroup-v1 and cgroup-v2).
#include <algorithm>
#include <cmath>

#include "libimage/base/text.h"
#include "libimage/sandbox/cgroup.h"

namespace lade::sandbox {
namespace {

class Settings {
 public:
  explicit Settings(CgroupVersion version) : v1_(version == CgroupVersion::v1) {}

  template <typename T>
  void add(std::string_view controller, std::string_view v1, std::string_view v2,
           const std::optional<T>& value) {
    if (!value) return;
    if constexpr (std::is_signed_v<T>) {
      if (*value < 0 && !v1_) return put(controller, v2, "max");
    }
    put(controller, v1_ ? v1 : v2, cat(*value));
  }
  void put(std::string_view controller, std::string_view file, std::string value) {
    if (file.empty()) return;
    list_.push_back({std::string(controller), std::string(file), std::move(value)});
  }
  [[nodiscard]] bool v1() const { return v1_; }
  std::vector<CgroupSetting> take() { return std::move(list_); }

 private:
  bool v1_;
  std::vector<CgroupSetting> list_;
};

void add_memory(Settings& out, const MemoryLimits& memory) {
  out.add("memory", "memory.limit_in_bytes", "memory.max", memory.limit);
  out.add("memory", "memory.soft_limit_in_bytes", "memory.low", memory.reservation);
  if (out.v1()) {
    out.add("memory", "memory.memsw.limit_in_bytes", "", memory.swap);
    out.add("memory", "memory.kmem.tcp.limit_in_bytes", "", memory.kernel_tcp);
    out.add("memory", "memory.swappiness", "", memory.swappiness);
    if (memory.disable_oom_killer) out.put("memory", "memory.oom_control", "1");
    return;
  }
  if (!memory.swap) return;
  // Here swap alone; there both together.
  const std::int64_t limit = memory.limit.value_or(0);
  const bool endless = *memory.swap < 0;
  out.put("memory", "memory.swap.max",
          endless
              ? "max"
              : cat(std::max<std::int64_t>(0, *memory.swap - std::max<std::int64_t>(0, limit))));
}

/// 2 to 262144 shares as 1 to 10000: the field's curve, on which 1024 shares are 100.
std::uint64_t weight_of(std::uint64_t shares) {
  if (shares == 0) return 0;
  const double log = std::log2(static_cast<double>(std::clamp<std::uint64_t>(shares, 2, 262144)));
  return static_cast<std::uint64_t>(
      std::ceil(std::pow(10, (log * log + 125 * log) / 612.0 - 7.0 / 34.0)));
}

void add_cpu(Settings& out, const CpuLimits& cpu) {
  if (out.v1()) {
    out.add("cpu", "cpu.shares", "", cpu.shares);
    out.add("cpu", "cpu.cfs_period_us", "", cpu.period);
    out.add("cpu", "cpu.cfs_quota_us", "", cpu.quota);
    out.add("cpu", "cpu.cfs_burst_us", "", cpu.burst);
    out.add("cpu", "cpu.rt_period_us", "", cpu.realtime_period);
    out.add("cpu", "cpu.rt_runtime_us", "", cpu.realtime_runtime);
  } else {
    if (cpu.shares && *cpu.shares != 0) out.put("cpu", "cpu.weight", cat(weight_of(*cpu.shares)));
    if (cpu.quota || cpu.period) {
      const bool limited = cpu.quota.value_or(-1) > 0;
      out.put(
          "cpu", "cpu.max",
          cat(limited ? cat(*cpu.quota) : std::string("max"), " ", cpu.period.value_or(100000)));
    }
    out.add("cpu", "", "cpu.max.burst", cpu.burst);
  }
  out.add("cpu", "cpu.idle", "cpu.idle", cpu.idle);
  if (!cpu.cpus.empty()) out.put("cpuset", "cpuset.cpus", cpu.cpus);
  if (!cpu.mems.empty()) out.put("cpuset", "cpuset.mems", cpu.mems);
}

void add_throttle(Settings& out, const std::vector<ThrottleDevice>& devices, std::string_view v1,
                  std::string_view v2) {
  for (const ThrottleDevice& device : devices) {
    const std::string number = cat(device.major, ":", device.minor, " ");
    if (out.v1()) {
      out.put("blkio", v1, cat(number, device.rate));
    } else {
      out.put("io", "io.max", cat(number, v2, "=", device.rate));
    }
  }
}

void add_block_io(Settings& out, const BlockIoLimits& io) {
  out.add(out.v1() ? "blkio" : "io", "blkio.weight", "io.bfq.weight", io.weight);
  out.add("blkio", out.v1() ? "blkio.leaf_weight" : "", "", io.leaf_weight);
  for (const WeightDevice& device : io.weight_devices) {
    const std::string number = cat(device.major, ":", device.minor, " ");
    if (device.weight) {
      out.put(out.v1() ? "blkio" : "io", out.v1() ? "blkio.weight_device" : "io.bfq.weight",
              cat(number, *device.weight));
    }
    if (device.leaf_weight && out.v1()) {
      out.put("blkio", "blkio.leaf_weight_device", cat(number, *device.leaf_weight));
    }
  }
  add_throttle(out, io.read_bps, "blkio.throttle.read_bps_device", "rbps");
  add_throttle(out, io.write_bps, "blkio.throttle.write_bps_device", "wbps");
  add_throttle(out, io.read_iops, "blkio.throttle.read_iops_device", "riops");
  add_throttle(out, io.write_iops, "blkio.throttle.write_iops_device", "wiops");
}

}  // namespace

std::vector<CgroupSetting> settings_of(const Resources& resources, CgroupVersion version) {
  Settings out(version);
  if (resources.memory) add_memory(out, *resources.memory);
  if (resources.cpu) add_cpu(out, *resources.cpu);
  if (resources.pids) {
    out.put("pids", "pids.max", resources.pids->limit > 0 ? cat(resources.pids->limit) : "max");
  }
  if (resources.block_io) add_block_io(out, *resources.block_io);
  for (const HugepageLimit& huge : resources.hugepage_limits) {
    out.put("hugetlb", cat("hugetlb.", huge.page_size, out.v1() ? ".limit_in_bytes" : ".max"),
            cat(huge.limit));
  }
  if (version == CgroupVersion::v2) {
    for (const auto& [file, value] : resources.unified) {
      out.put(file.substr(0, file.find('.')), file, value);
    }
  }
  return out.take();
}

std::set<std::string> controllers_for(const Resources& resources) {
  std::set<std::string> found;
  for (const CgroupVersion version : {CgroupVersion::v1, CgroupVersion::v2}) {
    for (const CgroupSetting& setting : settings_of(resources, version)) {
      found.insert(setting.controller);
    }
  }
  if (!resources.devices.empty()) found.insert("devices");
  return found;
}

std::vector<DeviceRule> all_device_rules(const std::vector<DeviceRule>& asked) {
  std::vector<DeviceRule> rules = asked;
  const auto allow = [&](std::optional<std::int64_t> major, std::optional<std::int64_t> minor) {
    rules.push_back({true, "c", major, minor, "rwm"});
  };
  rules.push_back({true, "c", {}, {}, "m"});
  rules.push_back({true, "b", {}, {}, "m"});
  allow(1, 3);
  allow(1, 8);
  allow(1, 7);
  allow(5, 0);
  allow(1, 5);
  allow(1, 9);
  allow(136, {});  // pseudo terminals
  allow(5, 2);     // their multiplexer
  return rules;
}

}  // namespace lade::sandbox
