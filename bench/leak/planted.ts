// A leak, to see that the leak check finds one: loaded into a daemon's processes by NODE_OPTIONS, it keeps a KiB for each message
// that comes down to a child. A reload sends each child one.
const kept: number[][] = []; // grows without bound, which is its purpose

if (process.send !== undefined) process.on("message", () => kept.push(new Array<number>(128).fill(kept.length)));
