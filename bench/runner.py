# SPDX-License-Identifier: ISC
"""What bench/run and bench/run-db share: measuring figures one after the other, showing them, writing them down."""
import argparse
import datetime
import json
import os
import time
import traceback

import machine
from figures import Run, result


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def show(one):
    ratio = "" if one["ratio"] is None else f"  = {one['ratio']:.3f} x {number(one['reference'])}"
    print(f"{'pass' if one['passed'] else 'FAIL'}  {one['name']:20} {number(one['value']):>8} {one['unit']}{ratio}"
          f"   [{one['bar']}]", flush=True)
    if one["notes"]:
        print(f"      {one['notes']}", flush=True)


def measure(figures, name, run):
    """The results of one figure; one that could not be measured has failed, and says why."""
    try:
        yield from figures[name](run)
    except Exception as error:  # pylint: disable=broad-except
        if not isinstance(error, (RuntimeError, PermissionError)):
            traceback.print_exc()
        yield result(name, None, "", "-", False, notes=f"not measured: {error}")


def describe_machine():
    model = [line.split(":", 1)[1].strip() for line in machine.read("/proc/cpuinfo").splitlines()
             if line.startswith("model name")]
    load = machine.read("/proc/loadavg").split()[0]
    return {"cores": len(machine.CORES), "model": model[0] if model else "", "kernel": os.uname().release,
            "load_before": float(load)}


def main(figures, doc, output):
    """figures: functions of a Run, by name. Returns the exit code."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(figures), metavar="NAME")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--output", default=os.path.join(machine.BUILD, output))
    options = parser.parse_args()
    if options.list:
        print("\n".join(figures))
        return 0
    began = time.monotonic()
    about = describe_machine()
    print(f"{about['model']}, {about['cores']} cores, Linux {about['kernel']}, load {about['load_before']}")
    run, results = Run(options.quick), []
    try:
        for name in options.only or figures:
            for one in measure(figures, name, run):
                one["date"] = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
                results.append(one)
                show(one)
    finally:
        run.stop()
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump({"machine": about, "quick": options.quick, "seconds": round(time.monotonic() - began),
                   "figures": results}, file, indent=1)
        file.write("\n")
    if about["load_before"] > 0.5:
        print(f"Others were at work (load {about['load_before']} at the beginning): times of waiting are not ours alone.")
    failed = sum(not one["passed"] for one in results)
    print(f"{len(results) - failed} passed, {failed} failed, in {time.monotonic() - began:.0f} s; {options.output}")
    return 1 if failed else 0
