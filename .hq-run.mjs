const { main } = await import('/work/wt/hqlive/dist/cli/main.js');
await main(process.argv.slice(2));
