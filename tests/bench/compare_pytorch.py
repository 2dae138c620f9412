#!/usr/bin/python3
"""The same training step (or inference) here and in PyTorch on this machine, one JSON line a case.

usage: compare_pytorch.py BENCH_NET [--threads N] [--rounds N] [--output-stride N]
                          [train_step|inference] [ARCH] [HxW]

BENCH_NET is build/tests/bench/bench_net. PyTorch runs with three settings, each in a fresh process:
its default, with glibc told to keep big blocks (malloc), and with channels_last tensors; "ratio" is
its best median over ours. The runs alternate, so that both sides see the same machine. Both do a
whole step: forward, logits enlarged to the crop (align_corners), cross-entropy, backward, SGD with
momentum and weight decay; batch norm frozen, batch 1. Without python3-torch: skipped.
"""
import json
import os
import statistics
import subprocess
import sys
import time

ARCHS = ["deeplabv2-vgg16", "deeplabv2-resnet101", "deeplabv2-resnet50", "deeplabv2-mobilenetv2"]
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "1000000000000",
          "MALLOC_TOP_PAD_": "67108864"}
SETTINGS = ["default", "malloc", "channels_last"]
CLASSES = 19


def child(kind, arch, height, width, threads, stride, setting):
    """One PyTorch measurement in this process; prints a JSON line."""
    import torch
    import torch.nn.functional as F
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
    import torch_nets

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = torch_nets.freeze_bn(torch_nets.build(arch, CLASSES, (6, 12, 18, 24), output_stride=stride))
    x = torch.randn(1, 3, height, width)
    if setting == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    label = torch.randint(0, CLASSES, (1, height, width))
    head = [p for n, p in net.named_parameters() if "conv2d_list" in n]
    body = [p for n, p in net.named_parameters() if p.requires_grad and "conv2d_list" not in n]
    sgd = torch.optim.SGD([{"params": body}, {"params": head, "lr": 2.5e-9}], lr=2.5e-10,
                          momentum=0.9, weight_decay=5e-4)

    def logits():
        return F.interpolate(net(x), (height, width), mode="bilinear", align_corners=True)

    def train_step():
        sgd.zero_grad()
        F.cross_entropy(logits(), label).backward()
        sgd.step()

    def inference():
        with torch.no_grad():
            return F.softmax(logits(), 1)

    once = train_step if kind == "train_step" else inference
    once()
    times = []
    while len(times) < 15 and (len(times) < 3 or sum(times) < 10):
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    with open("/proc/self/status") as f:
        peak = [int(line.split()[1]) for line in f if line.startswith("VmHWM")][0] / 1024
    print(json.dumps({"seconds": statistics.median(times), "peak_rss_mib": peak}))


def run(argv, env=None):
    out = subprocess.run(argv, env=dict(os.environ, **(env or {})), stdout=subprocess.PIPE,
                         check=True, universal_newlines=True).stdout
    return json.loads(out.splitlines()[-1])


def compare(bench_net, kind, arch, size, threads, stride, rounds):
    ours, torch = [], {s: [] for s in SETTINGS}
    for _ in range(rounds):
        ours.append(run([bench_net, "--threads", str(threads), "--output-stride", str(stride),
                         kind, arch, size]))
        for s in SETTINGS:
            torch[s].append(run([sys.executable, os.path.abspath(__file__), "--child", kind, arch,
                                 size, str(threads), str(stride), s], MALLOC if s == "malloc" else None))
    seconds = {s: statistics.median(r["seconds"] for r in torch[s]) for s in SETTINGS}
    best = min(SETTINGS, key=lambda s: seconds[s])
    mine = statistics.median(r["seconds_median"] for r in ours)
    memory = max(r["peak_rss_mib"] for r in ours)
    # The honest peer in memory is PyTorch's smallest, not its fastest setting.
    peer = min(max(r["peak_rss_mib"] for r in torch[s]) for s in SETTINGS)
    height, width = map(int, size.split("x"))
    print(json.dumps({
        "bench": "compare_" + kind, "arch": arch, "height": height, "width": width,
        "output_stride": stride, "threads": threads, "rounds": rounds, "seconds": round(mine, 4),
        "pytorch_seconds": {s: round(seconds[s], 4) for s in SETTINGS}, "pytorch_best": best,
        "ratio": round(seconds[best] / mine, 2), "peak_rss_mib": round(memory),
        "pytorch_peak_rss_mib": round(peer), "memory_ratio": round(memory / peer, 2)}), flush=True)


def main():
    args = sys.argv[1:]
    if args[:1] == ["--child"]:
        height, width = map(int, args[3].split("x"))
        child(args[1], args[2], height, width, int(args[4]), int(args[5]), args[6])
        return 0
    threads, rounds, stride = os.cpu_count(), 1, 8
    kinds, archs, size = ["train_step", "inference"], ARCHS, "321x321"
    if not args:
        print(__doc__, file=sys.stderr)
        return 2
    bench_net = args.pop(0)
    while args:
        a = args.pop(0)
        if a == "--threads":
            threads = int(args.pop(0))
        elif a == "--rounds":
            rounds = int(args.pop(0))
        elif a == "--output-stride":
            stride = int(args.pop(0))
        elif a in kinds:
            kinds = [a]
        elif a in ARCHS:
            archs = [a]
        elif a.replace("x", "", 1).isdigit():
            size = a
        else:
            print(__doc__, file=sys.stderr)
            return 2
    if subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode:
        print("skipped: python3-torch is not installed", file=sys.stderr)
        return 0
    for arch in archs:
        for kind in kinds:
            compare(bench_net, kind, arch, size, threads, stride, rounds)
    return 0


sys.exit(main())
